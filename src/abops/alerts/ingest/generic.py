"""Reading alerts from whatever can send JSON, and from Prometheus without Alertmanager.

The generic form is small on purpose: a status, labels, and what else is known. Prometheus speaks
the form of Alertmanager's API, version 2: no status, but an end that lies ahead while the alert
fires and moves on with every repeat. When it is no longer repeated, that end comes.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from abops.alerts.ingest.webhook import (
    Decoded,
    MalformedBodyError,
    RejectedAlert,
    SentAlert,
    malformed,
    to_event,
)
from abops.alerts.model import AlertEvent, AlertStatus

Moment = Annotated[datetime, Meta(tz=True)]
_T = TypeVar("_T")
_OPENED: Final = 1970
"""Go writes the year 1 where there is no time."""


class GenericAlert(Struct, frozen=True):
    """An alert in the form that is ours."""

    status: AlertStatus
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: Moment | None = None
    """When it began. None: now."""
    ends_at: Moment | None = None
    """When it ended. None: now, if it is resolved."""
    url: str = ""
    """Where more can be seen."""


class PostedAlert(Struct, frozen=True):
    """An alert as Prometheus posts it to Alertmanager."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: Moment | None = field(name="startsAt", default=None)
    ends_at: Moment | None = field(name="endsAt", default=None)
    generator_url: str = field(name="generatorURL", default="")


def decode_generic(body: bytes, volatile: Sequence[str], now: datetime) -> Decoded:
    """Read one alert or a list of them."""
    left_out = frozenset(volatile)

    def event(alert: GenericAlert) -> tuple[AlertEvent, float | None]:
        started = real(alert.starts_at) or now
        ended = (real(alert.ends_at) or now) if alert.status == "resolved" else None
        sent = SentAlert(
            labels=alert.labels,
            starts_at=started,
            status=alert.status,
            ends_at=ended,
            annotations=alert.annotations,
            generator_url=alert.url,
        )
        return to_event(sent, left_out, source="generic"), None

    return each(body, GenericAlert, event)


def decode_posted(body: bytes, volatile: Sequence[str], now: datetime) -> Decoded:
    """Read what Prometheus posts to `/api/v2/alerts`."""
    left_out = frozenset(volatile)

    def event(alert: PostedAlert) -> tuple[AlertEvent, float | None]:
        ends = real(alert.ends_at)
        over = ends is not None and ends <= now
        sent = SentAlert(
            labels=alert.labels,
            starts_at=real(alert.starts_at) or (ends if over and ends else now),
            status="resolved" if over else "firing",
            ends_at=ends if over else None,
            annotations=alert.annotations,
            generator_url=alert.generator_url,
        )
        due = None if over or ends is None else ends.timestamp()
        return to_event(sent, left_out, source="prometheus"), due

    return each(body, PostedAlert, event)


def each(
    body: bytes, kind: type[_T], event: Callable[[_T], tuple[AlertEvent, float | None]]
) -> Decoded:
    """Read one document or a list, each apart: one that cannot be read spoils no other."""
    try:
        whole = _is_list(body)
        parts = msgspec.json.decode(body, type=list[msgspec.Raw]) if whole else [msgspec.Raw(body)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(error) from error
    events: list[AlertEvent] = []
    rejected: list[RejectedAlert] = []
    due: dict[str, float] = {}
    for position, raw in enumerate(parts):
        content = bytes(raw)
        try:
            alert = msgspec.json.decode(content, type=kind)
            found, ends = event(alert)
            if "alertname" not in found.labels:
                raise msgspec.ValidationError("Object missing required label `alertname`")
            found.starts_at.timestamp()
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError) as error:
            rejected.append(RejectedAlert(position, str(error), content))
            continue
        events.append(found)
        if ends is not None:
            due[found.fingerprint] = ends
    if rejected and not whole:
        raise MalformedBodyError(f"the alert cannot be read: {rejected[0].error}")
    return Decoded(tuple(events), tuple(rejected), due=due)


def real(moment: datetime | None) -> datetime | None:
    """Return the time, unless it is Go's way to say that there is none."""
    return None if moment is None or moment.year < _OPENED else moment


def _is_list(body: bytes) -> bool:
    return body.lstrip()[:1] == b"["
