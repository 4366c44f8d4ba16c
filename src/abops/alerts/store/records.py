"""What the service remembers between two events, and what one step changes.

`AlertRecord` and `IncidentRecord` are the rows as the writer's thread holds them in memory; only
that thread touches them. Moments are seconds since 1970. `Changes` gathers what one step does,
so that it is written in a few statements however many alerts took part.
"""

from dataclasses import dataclass, field

from msgspec import Struct

from abops.alerts.model import (
    AlertEvent,
    AlertStatus,
    DeliveryKind,
    IncidentShape,
    IncidentState,
    Severity,
    SuspectedCause,
    TimelineKind,
)


class AlertRecord(Struct):
    """What has to be known of an alert to judge the next statement about it."""

    fingerprint: str
    severity: Severity
    service: str
    env: str
    state: AlertStatus
    starts_at: float
    ends_at: float | None
    ended_by: str
    incident: int | None
    kind: str = ""
    """What sort of alert: name and summary without numbers. Empty: not correlated yet."""
    suppressed: str = ""
    """Why nobody is told of it. Empty: people are told."""
    changes: str = ""
    """Its last states, as JSON: what flapping is judged by. Empty: it fired only once."""


class IncidentRecord(Struct):
    """An unresolved incident; the fields are the table's columns, in their order."""

    number: int
    title: str
    state: IncidentState
    severity: Severity
    service: str
    env: str
    team: str
    opened_at: float
    updated_at: float
    started_at: float
    quiet_since: float | None = None
    acked_at: float | None = None
    acked_by: str = ""
    resolved_at: float | None = None
    recurs: int | None = None
    alerts: int = 1
    firing: int = 1
    revision: int = 0
    channels: tuple[str, ...] = ()
    runbook_url: str = ""
    description: str = ""
    shape: IncidentShape = "alerts"
    owner: str = ""
    merged_into: int | None = None
    score: float | None = None
    score_terms: tuple[str, ...] = ()
    causes: tuple[SuspectedCause, ...] = ()
    level: int = 0
    """The highest level of the escalation that was paged; 0: none."""
    paged_at: float | None = None
    """When the first page was due: what the levels count from."""
    noise: int = 0
    """1 when somebody said that nobody had to act."""


class OutboxEntry(Struct, frozen=True):
    """Something to be told, before it has a row."""

    incident: int
    channel: str
    kind: DeliveryKind
    severity: Severity
    page: bool
    since: float
    """When what is told began; latency counts from here."""
    revision: int
    created_at: float
    next_at: float

    @property
    def key(self) -> str:
        """Identify it: a step that is done twice tells once."""
        return f"{self.incident}/{self.channel}/{self.kind}/{self.revision}"


class TimelineRow(Struct, frozen=True):
    """An entry of an incident's timeline, before it has a row."""

    incident: int
    at: float
    kind: TimelineKind
    text: str
    actor: str = "abops"


class MemberRow(Struct, frozen=True):
    """An alert's part in an incident."""

    incident: int
    fingerprint: str
    reason: str
    joined_at: float
    state: AlertStatus
    starts_at: float
    ends_at: float | None
    ended_by: str
    terms: str = "[]"
    """What spoke for joining, as JSON: texts."""


@dataclass(slots=True)
class Changes:
    """What one step changes, written together or not at all."""

    alerts: list[tuple[AlertRecord, AlertEvent]] = field(default_factory=list)
    members: list[MemberRow] = field(default_factory=list)
    incidents: dict[int, IncidentRecord] = field(default_factory=dict)
    timeline: list[TimelineRow] = field(default_factory=list)
    outbox: list[OutboxEntry] = field(default_factory=list)
