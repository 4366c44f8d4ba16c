"""PagerDuty's Events API v2, and the incidents that follow from its events.

Documented: 512 KB an event, a summary of 1,024 and a dedup_key of 255 characters, about 120 events
a minute per integration key. An event that is refused with 400 stays refused. A `trigger` with the
key of an open incident joins it; after a `resolve` the same key opens a new one.
"""

import secrets
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from abops.stack.channels.control import BodyTooLargeError, FaultAnswer, read_body
from abops.stack.channels.desk import Desk
from abops.stack.channels.limits import SlidingWindow, admit
from abops.stack.channels.severity import normal_severity

CHANNEL: Final = "pagerduty"
BROKEN: Final = FaultAnswer(500, b'{"status":"error","message":"Internal Server Error"}')
_BODY_BYTES: Final = 512 * 1024
_KEY_CHARS: Final = 32
_KEY_FILES: Final = "pd-*"
_NO_KEYS: Final = frozenset({"pd-hook"})
_FIRST_KEY: Final = "pd-dev"
_SUMMARY_CHARS: Final = 1_024
_DEDUP_CHARS: Final = 255
_ACTIONS: Final = ("trigger", "acknowledge", "resolve")
_SEVERITIES: Final = ("critical", "error", "warning", "info")
_THROTTLED: Final = {
    "status": "throttle exceeded",
    "message": "Requests for this service are arriving too quickly.  Please retry later.",
}


class Incident(msgspec.Struct):
    """What PagerDuty keeps for one dedup_key between its first trigger and its resolve."""

    number: int
    dedup_key: str
    status: str
    severity: str
    summary: str
    events: int
    triggered_at: str
    acknowledged_at: str | None = None
    resolved_at: str | None = None
    integration: str = ""
    """The key it came by, as its file is called."""


class EventRefused(Exception):  # noqa: N818 - an answer of the protocol, not a failure of ours
    """The event is invalid, for these reasons."""

    def __init__(self, *errors: str, limit: bool = False) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors
        self.limit = limit


def overloaded(_retry_after: int) -> FaultAnswer:
    """Return PagerDuty's answer to too many events."""
    return FaultAnswer(429, msgspec.json.encode(_THROTTLED))


class PagerDutyService:
    """Services with an integration key each: their incidents and their allowances.

    The keys are the files `pd-<team>` of the secrets; a key's incidents are its own.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._limit = SlidingWindow(
            "120 events a minute per key", count=120, window_s=60, clock=desk.clock
        )
        self.incidents: list[Incident] = []
        self._open: dict[tuple[str, str], Incident] = {}
        """By integration and dedup_key."""
        for record in desk.recorder.received(CHANNEL):
            self._apply(record.payload, str(record.answer["dedup_key"]), record.received_at)

    def enqueue(self, event: dict[str, Any]) -> dict[str, str] | None:
        """Accept `event` and return the answer; None when the key sends too fast."""
        key = event.get("routing_key")
        _check(event)
        integration = self._integration(str(key))
        if integration is None:
            if len(str(key)) != _KEY_CHARS:
                raise EventRefused(
                    f"Length of 'routing_key' is incorrect (should be {_KEY_CHARS} characters)"
                )
            raise EventRefused("Invalid routing key")
        if refused := admit([(self._limit, str(key))]):
            self._desk.recorder.violate(CHANNEL, kind="limit", rule=refused[0])
            return None
        dedup_key = str(event.get("dedup_key") or secrets.token_hex(16))
        self._record(event, dedup_key, integration)
        return {"status": "success", "message": "Event processed", "dedup_key": dedup_key}

    def refuse(self, refusal: EventRefused) -> None:
        """Remember an invalid event."""
        self._desk.recorder.violate(
            CHANNEL, kind="limit" if refusal.limit else "refused", rule=str(refusal)
        )

    def open_incident(self, dedup_key: str) -> Incident | None:
        """Return the newest incident that is open under `dedup_key`, whatever its integration."""
        found = (incident for (_, key), incident in self._open.items() if key == dedup_key)
        return max(found, key=lambda incident: incident.number, default=None)

    def touch(self, incident: Incident, action: str) -> None:
        """Do what a person does on PagerDuty's own page: no event was received for it."""
        self._change(incident, action, self._desk.clock.now().isoformat(timespec="milliseconds"))

    def _integration(self, key: str) -> str | None:
        """Return the name of the file that holds this key."""
        names = [n for n in self._desk.secrets.names(_KEY_FILES) if n not in _NO_KEYS]
        return next((name for name in names if self._desk.secrets.matches(name, key)), None)

    def _record(self, event: dict[str, Any], dedup_key: str, integration: str) -> None:
        action = str(event["event_action"])
        masked = f"***{str(event['routing_key'])[-4:]}"
        payload = {**event, "routing_key": masked, "integration": integration}
        given = event.get("payload")
        content = given if isinstance(given, dict) else {}
        known = self._open.get((integration, dedup_key))
        severity = normal_severity(str(content.get("severity") or "")) or None
        if action == "resolve":
            severity = "resolved"
        elif action == "acknowledge":
            severity = known.severity if known else None
        record = self._desk.recorder.receive(
            CHANNEL,
            action=action,
            destination=dedup_key,
            severity=severity,
            summary=str(content.get("summary") or (known.summary if known else dedup_key)),
            payload=payload,
            answer={"dedup_key": dedup_key},
        )
        self._apply(payload, dedup_key, record.received_at)

    def _apply(self, event: dict[str, Any], dedup_key: str, at: str) -> None:
        integration = str(event.get("integration") or _FIRST_KEY)
        incident = self._open.get((integration, dedup_key))
        action = str(event["event_action"])
        if action != "trigger":
            if incident is not None:
                self._change(incident, action, at)
        elif incident is not None:
            incident.events += 1
        else:
            content = event["payload"]
            incident = Incident(
                number=len(self.incidents) + 1,
                dedup_key=dedup_key,
                status="triggered",
                severity=normal_severity(str(content["severity"])),
                summary=str(content["summary"]),
                events=1,
                triggered_at=at,
                integration=integration,
            )
            self.incidents.append(incident)
            self._open[integration, dedup_key] = incident

    def _change(self, incident: Incident, action: str, at: str) -> None:
        if action == "acknowledge":
            incident.status, incident.acknowledged_at = "acknowledged", at
        elif action == "unacknowledge":
            incident.status, incident.acknowledged_at = "triggered", None
        elif action == "resolve":
            incident.status, incident.resolved_at = "resolved", at
            self._open.pop((incident.integration, incident.dedup_key), None)


def _check(event: dict[str, Any]) -> None:
    """Refuse an event with everything that is wrong with it, as PagerDuty does."""
    errors: list[str] = []
    if not event.get("routing_key"):
        errors.append("'routing_key' is missing or blank")
    action = event.get("event_action")
    dedup_key = event.get("dedup_key")
    too_long = False
    if not action:
        errors.append("'event_action' is missing or blank")
    elif action not in _ACTIONS:
        errors.append(f"'event_action' is invalid ({_one_of(_ACTIONS)})")
    elif action != "trigger" and not dedup_key:
        errors.append("'dedup_key' is missing or blank")
    if dedup_key is not None and len(str(dedup_key)) > _DEDUP_CHARS:
        errors.append(f"'dedup_key' is too long (maximum is {_DEDUP_CHARS} characters)")
        too_long = True
    if action == "trigger":
        payload = event.get("payload")
        if isinstance(payload, dict) and payload:
            errors += _payload_errors(payload)
            too_long = too_long or len(str(payload.get("summary") or "")) > _SUMMARY_CHARS
        else:
            errors.append("'payload' is missing or blank")
    if errors:
        raise EventRefused(*errors, limit=too_long)


def _payload_errors(payload: dict[str, Any]) -> list[str]:
    errors = [
        f"'payload.{name}' is missing or blank"
        for name in ("summary", "source", "severity")
        if not payload.get(name)
    ]
    if len(str(payload.get("summary") or "")) > _SUMMARY_CHARS:
        errors.append(f"'summary' is too long (maximum is {_SUMMARY_CHARS} characters)")
    if payload.get("severity") and payload["severity"] not in _SEVERITIES:
        errors.append(f"'payload.severity' is invalid ({_one_of(_SEVERITIES)})")
    return errors


def _one_of(names: tuple[str, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"must be one of the following: {', '.join(quoted[:-1])} or {quoted[-1]}"


def pagerduty_app(service: PagerDutyService) -> FastAPI:
    """Return PagerDuty's routes."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.post("/v2/enqueue")
    async def enqueue(request: Request) -> Response:
        try:
            event = await _event(request)
            answer = service.enqueue(event)
        except BodyTooLargeError:
            service.refuse(EventRefused("the event is larger than 512 KB", limit=True))
            return JSONResponse({"message": "Request Entity Too Large"}, status_code=413)
        except EventRefused as refusal:
            service.refuse(refusal)
            body = {
                "status": "invalid event",
                "message": "Event object is invalid",
                "errors": list(refusal.errors),
            }
            return JSONResponse(body, status_code=400)
        if answer is None:
            return JSONResponse(_THROTTLED, status_code=429)
        return JSONResponse(answer, status_code=202)

    @app.get("/incidents")
    async def incidents() -> Response:
        return Response(msgspec.json.encode(service.incidents), media_type="application/json")

    return app


async def _event(request: Request) -> dict[str, Any]:
    try:
        event = msgspec.json.decode(await read_body(request, _BODY_BYTES))
    except msgspec.DecodeError:
        raise EventRefused("JSON parse error") from None
    if not isinstance(event, dict):
        raise EventRefused("Event object format is unrecognized")
    return event
