"""Grouping alerts from a file, a pipe or an Alertmanager, without a service that runs.

The same decisions as in the alert service: which incident an alert joins and why, which incidents
become one, where it may have begun. Time is that of the alerts, so that a recorded night comes
out as it would have been.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from abops.alerts.correlate.join import Correlator, Match, Setting, Sighting
from abops.alerts.correlate.kinds import kind_of
from abops.alerts.correlate.placing import ABOUT_NOTHING, place_of, service_of, stands_alone
from abops.alerts.correlate.topology import Topology
from abops.alerts.ingest.webhook import MalformedBodyError, decode
from abops.alerts.model import SEVERITIES, Alert, AlertEvent, ServiceSettings, Severity
from abops.alerts.rootcause.likely import likely_causes
from abops.alerts.rootcause.live import incident_evidence
from abops.alerts.rootcause.model import Edge
from abops.alerts.service.step import severity_of, title_of
from abops.clients.alertmanager import Alertmanager


class Part(Struct, frozen=True):
    """An alert within an incident, and why it is there."""

    name: str
    service: str
    severity: Severity
    at: datetime
    status: str
    reason: str


class Found(Struct, frozen=True):
    """An incident that these alerts make."""

    number: int
    severity: Severity
    title: str
    env: str
    began_at: datetime
    cause: str
    share: float | None
    """Of the evidence, for the cause. None: nothing speaks for any part."""
    terms: tuple[str, ...]
    alerts: tuple[Part, ...]


class _Group(Struct):
    events: list[tuple[AlertEvent, str]]


def read_events(text: bytes) -> list[AlertEvent]:
    """Read webhook bodies, one document or one a line, or alerts one a line.

    Raises MalformedBodyError with the line.
    """
    volatile = ServiceSettings().volatile_labels
    try:
        return list(decode(text, volatile).events)
    except MalformedBodyError:
        if b"\n" not in text.strip():
            raise
    events: list[AlertEvent] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        body = line if b'"alerts"' in line else b'{"alerts": [' + line + b"]}"
        try:
            decoded = decode(body, volatile)
        except MalformedBodyError as error:
            raise MalformedBodyError(f"line {number}: {error}", hint=error.hint) from error
        if decoded.rejected:
            raise MalformedBodyError(f"line {number}: {decoded.rejected[0].error}")
        events.extend(decoded.events)
    return events


def events_of(url: str) -> list[AlertEvent]:
    """Read what fires in an Alertmanager."""

    async def listed() -> bytes:
        client = Alertmanager(url)
        try:
            found = await client.alerts()
        finally:
            await client.close()
        alerts = [
            {
                "status": "firing",
                "labels": alert.labels,
                "annotations": alert.annotations,
                "startsAt": alert.starts_at,
            }
            for alert in found
        ]
        return msgspec.json.encode({"alerts": alerts})

    return read_events(asyncio.run(listed()))


def group(
    events: Iterable[AlertEvent], calls: Sequence[tuple[str, str]], gap_s: float = 300.0
) -> tuple[Found, ...]:
    """Return the incidents these alerts make, in the order in which they began."""
    correlator = Correlator(Topology(calls), Setting(gap_s=gap_s))
    groups: dict[int, _Group] = {}
    of: dict[str, int] = {}
    firing = (e for e in events if e.labels.get("alertname") not in ABOUT_NOTHING)
    for event in sorted(firing, key=lambda event: event.starts_at):
        if event.status == "resolved" and event.fingerprint in of:
            continue
        sighting = _sighting(event)
        alone = stands_alone(event.labels)
        match = Match() if alone else correlator.match(sighting)
        number = of.get(event.fingerprint) or _number(match, groups)
        for younger in match.groups[1:]:
            groups[number].events.extend(groups.pop(younger).events)
            of.update({e.fingerprint: number for e, _ in groups[number].events})
            correlator.merge(younger, number)
        groups.setdefault(number, _Group([])).events.append((event, match.reason))
        of[event.fingerprint] = number
        if not alone:
            correlator.record(sighting, number)
    edges = tuple(Edge(caller, callee) for caller, callee in calls)
    return tuple(_found(number, groups[number], edges) for number in sorted(groups))


def _number(match: Match, groups: dict[int, _Group]) -> int:
    return match.groups[0] if match.groups else max(groups, default=0) + 1


def _sighting(event: AlertEvent) -> Sighting:
    labels = event.labels
    place = place_of(service_of(labels), labels.get("env", ""), labels)
    return Sighting(kind_of(labels, event.annotations), place, event.starts_at.timestamp())


def _found(number: int, group_: _Group, edges: tuple[Edge, ...]) -> Found:
    events = group_.events
    alerts = [_alert(event) for event, _ in events]
    causes = likely_causes(incident_evidence(alerts, edges=edges))
    worst = min(events, key=lambda pair: SEVERITIES.index(severity_of(pair[0].labels)))[0]
    parts = tuple(
        Part(alert.name, alert.service, alert.severity, alert.starts_at, alert.state, reason)
        for alert, (_, reason) in zip(alerts, events, strict=True)
    )
    return Found(
        number=number,
        severity=severity_of(worst.labels),
        title=title_of(worst),
        env=worst.labels.get("env", ""),
        began_at=min(event.starts_at for event, _ in events),
        cause=causes[0].entity if causes else "",
        share=causes[0].score if causes else None,
        terms=(*causes[0].terms, *causes[0].missing) if causes else (),
        alerts=parts,
    )


def _alert(event: AlertEvent) -> Alert:
    labels = event.labels
    return Alert(
        fingerprint=event.fingerprint,
        name=labels.get("alertname", ""),
        severity=severity_of(labels),
        service=service_of(labels),
        env=labels.get("env", ""),
        state=event.status,
        labels=labels,
        annotations=event.annotations,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
    )
