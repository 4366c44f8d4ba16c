"""The description of the API: what every route takes and answers.

Bodies are read raw, so the routes themselves say nothing of them. Here stands, route by route,
which value is read and which is answered; the schemas are made from these values, so they are
what the decoder checks.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from msgspec import Struct

from abops.alerts.ingest.changes import Change
from abops.alerts.ingest.generic import GenericAlert, PostedAlert
from abops.alerts.ingest.grafana import GrafanaAlert
from abops.alerts.ingest.kubernetes_events import KubernetesEvent
from abops.alerts.ingest.webhook import SentAlert
from abops.alerts.model import IncidentDetail, IncidentSummary, IngestResult, Readiness
from abops.alerts.store.changes import StoredChange
from abops.entry.web.actions_api import (
    Assigning,
    CallingNoise,
    Counted,
    Explained,
    Noting,
    Resolving,
)
from abops.entry.web.alerts_api import Merging, Splitting

_REF: Final = "#/components/schemas/{name}"
_WEBHOOK: Final[dict[str, Any]] = {"truncatedAlerts": {"type": "integer"}}


class Refusal(Struct, frozen=True):
    """What went wrong, and what to do."""

    error: str
    hint: str
    position: int | None = None


class Acking(Struct, frozen=True):
    """Who takes care."""

    by: str = "api"


class Operation(Struct, frozen=True):
    """What a route takes and answers."""

    answer: Any = None
    body: Any = None
    wrapped: str = ""
    """The field of an object in which the body's list stands."""
    either: bool = False
    """Whether one is taken as well as a list of them."""
    query: Mapping[str, str] = {}
    """Parameters, and what they are."""
    refusals: tuple[int, ...] = ()
    media: str = "application/json"
    scope: str = ""
    """Which token it wants. Empty: none."""


_WHOLE: Final = "a whole number"
_ONE_TO_MOST: Final = "a whole number from 1 to 1000"
_TAKEN: Final = (400, 401, 403, 413, 503)
_ACTED: Final = (400, 401, 403, 404, 409, 413, 503)
_READ: Final = (400, 401, 403)

OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    ("post", "/v1/alertmanager"): Operation(
        IngestResult, SentAlert, wrapped="alerts", refusals=_TAKEN, scope="ingest"
    ),
    ("post", "/v1/heartbeat/alertmanager"): Operation(refusals=_TAKEN, scope="ingest"),
    ("post", "/v1/generic"): Operation(
        IngestResult, GenericAlert, either=True, refusals=_TAKEN, scope="ingest"
    ),
    ("post", "/v1/grafana"): Operation(
        IngestResult, GrafanaAlert, wrapped="alerts", refusals=_TAKEN, scope="ingest"
    ),
    ("post", "/v1/kubernetes-events"): Operation(
        IngestResult, KubernetesEvent, either=True, refusals=_TAKEN, scope="ingest"
    ),
    ("post", "/api/v2/alerts"): Operation(
        IngestResult, list[PostedAlert], refusals=_TAKEN, scope="ingest"
    ),
    ("post", "/v1/changes"): Operation(
        IngestResult, Change, either=True, refusals=_TAKEN, scope="ingest"
    ),
    ("get", "/v1/changes"): Operation(
        list[StoredChange],
        query={"since": _WHOLE, "until": _WHOLE, "service": "a service", "limit": _ONE_TO_MOST},
        refusals=_READ,
        scope="read",
    ),
    ("get", "/v1/incidents"): Operation(
        list[IncidentSummary],
        query={"state": "open, acked or resolved", "limit": _ONE_TO_MOST, "since": _WHOLE},
        refusals=_READ,
        scope="read",
    ),
    ("get", "/v1/incidents/{number}"): Operation(
        IncidentDetail, query={"alerts": _ONE_TO_MOST}, refusals=(*_READ, 404), scope="read"
    ),
    ("post", "/v1/incidents/{number}/ack"): Operation(
        IncidentSummary, Acking, refusals=_ACTED, scope="respond"
    ),
    ("delete", "/v1/incidents/{number}/ack"): Operation(
        IncidentSummary, query={"by": "a name"}, refusals=_ACTED, scope="respond"
    ),
    ("post", "/v1/incidents/{number}/resolve"): Operation(
        IncidentSummary, Resolving, refusals=_ACTED, scope="respond"
    ),
    ("post", "/v1/incidents/{number}/assign"): Operation(
        IncidentSummary, Assigning, refusals=_ACTED, scope="respond"
    ),
    ("post", "/v1/incidents/{number}/note"): Operation(
        IncidentSummary, Noting, refusals=_ACTED, scope="respond"
    ),
    ("post", "/v1/incidents/{number}/noise"): Operation(
        IncidentSummary, CallingNoise, refusals=_ACTED, scope="respond"
    ),
    ("post", "/v1/incidents/{number}/merge"): Operation(
        IncidentSummary, Merging, refusals=_ACTED, scope="respond"
    ),
    ("post", "/v1/incidents/{number}/split"): Operation(
        IncidentSummary, Splitting, refusals=_ACTED, scope="respond"
    ),
    ("get", "/v1/statistics"): Operation(
        Counted, query={"since": _WHOLE, "until": _WHOLE}, refusals=_READ, scope="read"
    ),
    ("get", "/v1/routes/explain"): Operation(
        Explained,
        query={"severity": "a label", "service": "a label", "category": "a label"},
        refusals=_READ,
        scope="read",
    ),
    ("get", "/v1/events"): Operation(media="text/event-stream", refusals=(401, 403), scope="read"),
    ("get", "/healthz"): Operation(),
    ("get", "/readyz"): Operation(Readiness, refusals=(503,)),
    ("get", "/metrics"): Operation(media="text/plain"),
    ("post", "/v1/callbacks/slack"): Operation(refusals=(400, 401, 413, 503)),
    ("post", "/v1/callbacks/pagerduty"): Operation(refusals=(401, 413, 503)),
    ("post", "/v1/callbacks/telegram"): Operation(refusals=(401, 413, 503)),
}
_OWN_FORM: Final = frozenset({"/readyz", "/v1/callbacks"})


def describe(app: FastAPI) -> None:
    """Have the application describe its API by the table instead of by guessing."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _filled(made())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # the way FastAPI's manual names


def _filled(document: dict[str, Any]) -> dict[str, Any]:
    values = [v for o in OPERATIONS.values() for v in (o.answer, o.body) if v is not None]
    schemas, components = msgspec.json.schema_components([*values, Refusal], ref_template=_REF)
    named = iter(schemas)
    of = {id(value): next(named) for value in values}
    known = document.setdefault("components", {})
    known.setdefault("schemas", {}).update(components)
    known["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    api = {path: of_path for path, of_path in document["paths"].items() if _is_api(path)}
    for (method, path), operation in OPERATIONS.items():
        if method in api.get(path, {}):
            api[path][method] |= _operation(path, operation, of)
    document["paths"] = api  # the console's pages are for people
    return document


def _is_api(path: str) -> bool:
    return path.startswith(("/v1/", "/api/v2/")) or path in ("/healthz", "/readyz", "/metrics")


def _operation(path: str, operation: Operation, of: Mapping[int, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "description": what, "schema": {"type": "string"}}
        for name, what in operation.query.items()
    ]
    if "{number}" in path:
        number = {"type": "string", "pattern": "^(INC-)?[0-9]{1,15}$"}
        parameters.append({"name": "number", "in": "path", "required": True, "schema": number})
    said: dict[str, Any] = {"parameters": parameters, "responses": _responses(path, operation, of)}
    if operation.body is not None:
        schema = of[id(operation.body)]
        if operation.either:
            schema = {"anyOf": [schema, {"type": "array", "items": schema}]}
        if operation.wrapped:
            listed = {operation.wrapped: {"type": "array", "items": schema}}
            schema = {
                "type": "object",
                "properties": listed | _WEBHOOK,
                "required": [operation.wrapped],
            }
        said["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if operation.scope:
        said["security"] = [{"token": []}]
        said["x-scope"] = operation.scope
    return said


def _responses(path: str, operation: Operation, of: Mapping[int, Any]) -> dict[str, Any]:
    schema = {} if operation.answer is None else of[id(operation.answer)]
    good: dict[str, Any] = {"description": "Done."}
    if path != "/v1/callbacks/slack":
        good["content"] = {operation.media: {"schema": schema}}
    responses = {"200": good}
    for status in operation.refusals:
        own = path.startswith(tuple(_OWN_FORM))
        shown: dict[str, Any] = schema if own else {"$ref": _REF.format(name="Refusal")}
        content = {"application/json": {"schema": shown}}
        responses[str(status)] = {"description": _WHY[status], "content": content}
    return responses


_WHY: Final = {
    400: "It cannot be read.",
    401: "No valid token or signature.",
    403: "The token or role is not enough.",
    404: "There is no such incident.",
    409: "It cannot be done as things are.",
    413: "It is too large.",
    503: "Not now: send it again after the time in Retry-After.",
}
