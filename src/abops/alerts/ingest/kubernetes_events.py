"""Reading Kubernetes' events: a warning is an alert that nobody ends, so it ends by itself.

The cluster repeats an event with a newer time while the trouble lasts. When it has not been
repeated for a while, the alert is over. Normal events are not alerts.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct, field

from abops.alerts.ingest.generic import Moment, each, real
from abops.alerts.ingest.webhook import Decoded, SentAlert, malformed, to_event
from abops.alerts.model import AlertEvent

LASTS: Final = timedelta(minutes=15)
"""Time without a repeat until it is over: kubelet backs off to five minutes at most."""
_CRITICAL: Final = frozenset({"NodeNotReady", "SystemOOM", "EvictionThresholdMet"})
_POD_SUFFIX: Final = re.compile(r"(-[a-z0-9]{5,10})?-[a-z0-9]{5}$|-\d+$")
_SUMMARY: Final = 300


class _Object(Struct, frozen=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""


class _Meta(Struct, frozen=True):
    created: Moment | None = field(name="creationTimestamp", default=None)
    namespace: str = ""


class _Series(Struct, frozen=True):
    last: Moment | None = field(name="lastObservedTime", default=None)


class KubernetesEvent(Struct, frozen=True):
    """An event of `v1` or of `events.k8s.io/v1`."""

    type: str
    reason: str
    message: str = ""
    note: str = ""
    involved: _Object | None = field(name="involvedObject", default=None)
    regarding: _Object | None = None
    metadata: _Meta = _Meta()
    last: Moment | None = field(name="lastTimestamp", default=None)
    event_time: Moment | None = field(name="eventTime", default=None)
    series: _Series | None = None


class _Watched(Struct):
    type: str
    object: msgspec.Raw


class _List(Struct):
    items: list[msgspec.Raw]


def decode_kubernetes(body: bytes, volatile: Sequence[str], now: datetime) -> Decoded:
    """Read an event, a list of them, an EventList, or what a watch says."""
    left_out = frozenset(volatile)

    def event(said: KubernetesEvent) -> tuple[AlertEvent, float | None]:
        sent = _alert(said, now)
        found = to_event(sent, left_out, source="kubernetes")
        return found, (sent.starts_at + LASTS).timestamp()

    warnings = [raw for raw in _events(body) if _warns(raw)]
    return each(msgspec.json.encode(warnings), KubernetesEvent, event)


def _alert(said: KubernetesEvent, now: datetime) -> SentAlert:
    about = said.involved or said.regarding or _Object()
    observed = said.series.last if said.series else None
    at = real(observed) or real(said.last) or real(said.event_time) or real(said.metadata.created)
    text = " ".join((said.message or said.note).split())
    labels = {
        "alertname": f"Kubernetes{said.reason}",
        "severity": "critical" if said.reason in _CRITICAL else "warning",
        "category": "kubernetes",
        "kind": about.kind,
        "namespace": about.namespace or said.metadata.namespace,
        "service": _workload(about),
        about.kind.lower() or "object": about.name,
    }
    return SentAlert(
        labels={name: value for name, value in labels.items() if value},
        starts_at=min(at or now, now),
        status="firing",
        annotations={"summary": text[:_SUMMARY], "description": text},
    )


def _workload(about: _Object) -> str:
    return _POD_SUFFIX.sub("", about.name) if about.kind == "Pod" else about.name


def _events(body: bytes) -> list[msgspec.Raw]:
    """Return the events in whatever they are wrapped in."""
    try:
        if body.lstrip()[:1] == b"[":
            return msgspec.json.decode(body, type=list[msgspec.Raw])
        shape = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        if "items" in shape:
            return msgspec.json.decode(body, type=_List).items
        if "object" in shape:
            watched = msgspec.json.decode(body, type=_Watched)
            return [] if watched.type in ("DELETED", "BOOKMARK") else [watched.object]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(error) from error
    return [msgspec.Raw(body)]


class _Type(Struct):
    type: str = ""


def _warns(raw: msgspec.Raw) -> bool:
    """Say whether to go on with it; what cannot be read is kept as rejected later on."""
    try:
        return msgspec.json.decode(raw, type=_Type).type not in ("Normal", "")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
