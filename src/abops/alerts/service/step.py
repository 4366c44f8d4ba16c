"""One step of the incidents: what changes in a transaction, gathered and written at its end."""

import msgspec
from msgspec import Struct

from abops.alerts.model import SEVERITIES, AlertEvent, EventKind, ServiceEvent, Severity
from abops.alerts.store import incidents as rows
from abops.alerts.store.records import (
    AlertRecord,
    Changes,
    IncidentRecord,
    MemberRow,
    OutboxEntry,
    TimelineRow,
)
from abops.alerts.store.writer import Unit
from abops.kernel.clock import moment

_encode = msgspec.json.Encoder().encode


class Cause(Struct, frozen=True):
    """Why something is told: whether it wakes somebody up, and when what it tells began."""

    page: bool
    since: float
    hold_s: float = 0.0
    """Seconds the message waits, because it may be over by then."""


class Step:
    """Gathers what one transaction changes."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self._changes = Changes()
        self._joined: dict[int, int] = {}
        self._kinds: dict[int, EventKind] = {}

    def changed(self, incident: IncidentRecord, kind: EventKind) -> None:
        """Have the incident written, and its subscribers told why."""
        incident.revision += 1
        self._changes.incidents[incident.number] = incident
        if kind != "updated" or incident.number not in self._kinds:
            self._kinds[incident.number] = kind

    def touched(self) -> list[IncidentRecord]:
        """Return the incidents that are to be written."""
        return list(self._changes.incidents.values())

    def alert(
        self, record: AlertRecord, event: AlertEvent, reason: str, terms: tuple[str, ...] = ()
    ) -> None:
        """Have the alert written, and its part in its incident."""
        self._changes.alerts.append((record, event))
        if record.incident is not None:
            self._changes.members.append(
                MemberRow(
                    incident=record.incident,
                    fingerprint=record.fingerprint,
                    reason=reason,
                    joined_at=self.unit.now,
                    state=record.state,
                    starts_at=record.starts_at,
                    ends_at=record.ends_at,
                    ended_by=record.ended_by,
                    terms=_encode(terms).decode(),
                )
            )

    def joined(self, number: int) -> None:
        """Count an alert that joined; a batch is one line of the timeline."""
        self._joined[number] = self._joined.get(number, 0) + 1

    def note(self, row: TimelineRow) -> None:
        """Add a line to the timeline."""
        self._changes.timeline.append(row)

    def tell(self, entry: OutboxEntry) -> None:
        """Have a channel told."""
        self._changes.outbox.append(entry)
        self.unit.channels.add(entry.channel)

    def write(self) -> None:
        """Write what was gathered; more may be gathered and written after it."""
        now = self.unit.now
        for number, count in self._joined.items():
            text = "1 alert joined" if count == 1 else f"{count} alerts joined"
            self.note(TimelineRow(number, now, "joined", text))
        rows.write(self.unit.connection, self._changes)
        self._changes, self._joined = Changes(), {}
        self.unit.events.extend(
            ServiceEvent(kind, number, moment(now)) for number, kind in self._kinds.items()
        )
        self._kinds = {}


def severity_of(labels: dict[str, str]) -> Severity:
    """Read the severity; what is not known counts as a warning, nothing at all as information."""
    named = labels.get("severity", "info")
    for severity in SEVERITIES:
        if named == severity:
            return severity
    return "critical" if named == "page" else "warning"


def title_of(event: AlertEvent) -> str:
    """Name the incident after what the alert says of itself."""
    summary = event.annotations.get("summary") or event.annotations.get("description", "")
    name = event.labels.get("alertname", "alert")
    first_line = summary.strip().partition("\n")[0]
    return (
        f"{name}: {first_line}" if first_line else f"{name} on {event.labels.get('service', '?')}"
    )
