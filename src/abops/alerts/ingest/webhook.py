"""Reading what Alertmanager sends.

Alertmanager's webhook is version 4 and grows fields now and then: what is not known is ignored.
Each alert's own status counts, not the group's. One alert that cannot be read does not take the
others with it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from abops.alerts.ingest.identity import event_key, fingerprint
from abops.alerts.model import AlertEvent, AlertStatus
from abops.kernel.errors import OpsError

MAX_BODY_BYTES = 32 * 2**20
_POSITION_MARK = "(byte "
_T = TypeVar("_T")


class MalformedBodyError(OpsError):
    """The body is not an Alertmanager webhook."""

    hint = "Send the JSON of Alertmanager's webhook, version 4: an object with `alerts`, a list."

    def __init__(
        self, message: str, *, position: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.position = position


class SentAlert(Struct, frozen=True):
    """An alert as Alertmanager writes it."""

    labels: dict[str, str]
    starts_at: Annotated[datetime, Meta(tz=True)] = field(name="startsAt")
    status: AlertStatus
    ends_at: Annotated[datetime, Meta(tz=True)] | None = field(name="endsAt", default=None)
    annotations: dict[str, str] = {}
    generator_url: str = field(name="generatorURL", default="")


class _Body(Struct, Generic[_T]):
    alerts: list[_T]
    truncated: int = field(name="truncatedAlerts", default=0)


class RejectedAlert(Struct, frozen=True):
    """An alert that could not be read, and why."""

    position: int
    """Its place in the body's list, from 0."""
    error: str
    content: bytes


class Decoded(Struct, frozen=True):
    """What one body said."""

    events: tuple[AlertEvent, ...]
    rejected: tuple[RejectedAlert, ...] = ()
    truncated: int = 0
    """Alerts the sender left out to keep the body small."""
    due: dict[str, float] = {}
    """When an alert ends by itself unless it is repeated, by fingerprint."""


_whole = msgspec.json.Decoder(_Body[SentAlert])
_apart = msgspec.json.Decoder(_Body[msgspec.Raw])
_one = msgspec.json.Decoder(SentAlert)


def decode(body: bytes, volatile: Sequence[str]) -> Decoded:
    """Read a webhook body; raises MalformedBodyError when it is not one at all."""
    left_out = frozenset(volatile)
    try:
        whole = _whole.decode(body)
        if all("alertname" in alert.labels for alert in whole.alerts):
            events = tuple(to_event(alert, left_out) for alert in whole.alerts)
            return Decoded(events=events, truncated=whole.truncated)
    except msgspec.ValidationError:
        pass  # some alert is not one: read them apart below
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(error) from error
    return _decode_apart(body, left_out)


def _decode_apart(body: bytes, volatile: frozenset[str]) -> Decoded:
    try:
        apart = _apart.decode(body)
    except msgspec.DecodeError as error:
        raise malformed(error) from error
    events: list[AlertEvent] = []
    rejected: list[RejectedAlert] = []
    for position, raw in enumerate(apart.alerts):
        try:
            alert = _one.decode(raw)
            if "alertname" not in alert.labels:
                raise msgspec.ValidationError("Object missing required field - at `$.labels`")
            events.append(to_event(alert, volatile))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            rejected.append(RejectedAlert(position, str(error), bytes(raw)))
    return Decoded(tuple(events), tuple(rejected), apart.truncated)


def to_event(
    alert: SentAlert, volatile: frozenset[str], *, source: str = "alertmanager"
) -> AlertEvent:
    """Give an alert its identity. While it fires, its end is not known whatever it says."""
    identity = fingerprint(alert.labels, volatile)
    ends_at = alert.ends_at if alert.status == "resolved" else None
    return AlertEvent(
        key=event_key(identity, alert.status, alert.starts_at, ends_at),
        fingerprint=identity,
        status=alert.status,
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        ends_at=ends_at,
        generator_url=alert.generator_url,
        source=source,
    )


def malformed(error: Exception, *, hint: str | None = None) -> MalformedBodyError:
    """Say where a body cannot be read."""
    text = str(error)
    _, mark, rest = text.partition(_POSITION_MARK)
    position: Any = rest.rstrip(")") if mark else ""
    return MalformedBodyError(
        f"the body cannot be read: {text}",
        position=int(position) if position.isdigit() else None,
        hint=hint,
    )
