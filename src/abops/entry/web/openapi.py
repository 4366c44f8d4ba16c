"""The description of the API, made of the table of operations.

The schemas are made from the values that are read and answered, so they are what the decoder
checks; who may ask is read from the gate's table, so it is what the gate checks.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from msgspec import Struct

from abops.alerts.access.roles import ROLES, SCOPES, abilities_of
from abops.entry.web.gate import COOKIE, CSRF_HEADER
from abops.entry.web.operations import OPERATIONS, Operation, ability_of

_REF: Final = "#/components/schemas/{name}"
_WEBHOOK: Final[dict[str, Any]] = {"truncatedAlerts": {"type": "integer"}}


class Refusal(Struct, frozen=True):
    """What went wrong, and what to do."""

    error: str
    hint: str
    position: int | None = None


_SCHEMES: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "What a program shows."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"Of who signed in; what changes something carries {CSRF_HEADER} too.",
    },
}
_PATTERNS: Final = {
    "number": "^(INC-)?[0-9]{1,15}$",
    "via": "^(slack|telegram|pagerduty)$",
    "name": "^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$",
}
_PLAIN_NUMBER: Final = "^[0-9]{1,15}$"
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
    known["securitySchemes"] = _SCHEMES
    api = {path: of_path for path, of_path in document["paths"].items() if _is_api(path)}
    for (method, path), operation in OPERATIONS.items():
        if method in api.get(path, {}):
            api[path][method] |= _operation(method, path, operation, of)
    document["paths"] = api  # the console's pages are for people
    return document


def _is_api(path: str) -> bool:
    return path.startswith(("/v1/", "/api/v2/")) or path in ("/healthz", "/readyz", "/metrics")


def _operation(
    method: str, path: str, operation: Operation, of: Mapping[int, Any]
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "description": asked.what, "schema": asked.schema}
        for name, asked in operation.query.items()
    ]
    parameters += _named_in(path)
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
    return said | _who_may(method, path, operation)


def _named_in(path: str) -> list[dict[str, Any]]:
    """Return the parameters that are parts of the path."""
    patterns = _PATTERNS if "/incidents/" in path else _PATTERNS | {"number": _PLAIN_NUMBER}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": pattern},
        }
        for name, pattern in patterns.items()
        if f"{{{name}}}" in path
    ]


def _who_may(method: str, path: str, operation: Operation) -> dict[str, Any]:
    """Say which people and which tokens are let in, by the table that the gate asks."""
    ability = ability_of(method, path)
    if not ability:
        return {"security": []}
    roles = [role for role in ROLES if ability in abilities_of(role)]
    scopes = [] if operation.own else [s for s, may in SCOPES.items() if ability in may]
    schemes: list[dict[str, list[str]]] = [{"token": []}] if scopes else []
    schemes += [{"session": []}] if roles else []
    return {"security": schemes, "x-roles": roles, "x-scopes": scopes}


def _responses(path: str, operation: Operation, of: Mapping[int, Any]) -> dict[str, Any]:
    schema = {} if operation.answer is None else of[id(operation.answer)]
    good: dict[str, Any] = {"description": "Done."}
    if path != "/v1/callbacks/slack":
        good["content"] = {operation.media: {"schema": schema}}
    responses = {str(operation.success): good}
    for status in operation.refusals:
        own = path.startswith(tuple(_OWN_FORM))
        shown: dict[str, Any] = schema if own else {"$ref": _REF.format(name="Refusal")}
        content = {"application/json": {"schema": shown}}
        responses[str(status)] = {"description": _WHY[status], "content": content}
    return responses


_WHY: Final = {
    400: "It cannot be read.",
    401: "No valid token or signature.",
    403: "The token or role is not enough, or the form is not of this session.",
    404: "There is none of this number or name.",
    409: "It cannot be done as things are.",
    413: "It is too large.",
    503: "Not now: send it again after the time in Retry-After.",
}
