"""What an alert becomes on its way to a person: event, alert, incident, delivery.

Every value is frozen, so that a decision can be handed one without fear. Times are aware UTC.
An `AlertEvent` is one thing a source said; an `Alert` is what is known of one fingerprint; an
`Incident` is what people are told about.
"""

from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct, field

from abops.inventory.matchers import Matcher

AlertStatus = Literal["firing", "resolved"]
IncidentState = Literal["open", "acked", "resolved"]
IncidentShape = Literal["alerts", "storm", "candidate"]
"""`candidate`: fewer alerts than its route asks for, so for people there is no incident yet."""
Severity = Literal["critical", "warning", "info"]
ChannelType = Literal["slack", "pagerduty", "telegram", "email"]
DeliveryState = Literal["pending", "sending", "retry", "done", "dead", "skipped"]
DeliveryKind = Literal[
    "open",
    "rise",
    "update",
    "ack",
    "unack",
    "resolve",
    "fallback",
    "escalate",
    "remind",
    "digest",
    "hourly",
]
TimelineKind = Literal[
    "opened",
    "joined",
    "rose",
    "acked",
    "unacked",
    "quiet",
    "resolved",
    "told",
    "note",
    "cause",
    "merged",
    "split",
    "storm",
    "paged",
    "silenced",
]
EventKind = Literal[
    "opened", "updated", "suspected", "scored", "acked", "unacked", "resolved", "delivered"
]

Digesting = Literal["never", "unlikely", "always"]
"""What is told in the hourly digest: nothing, what hardly ever needs anybody, what pages nobody."""
DEFAULT_POLICY: Final = "default"
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")


class Actor(Struct, frozen=True):
    """Who does something, and through what: cli, console, api, slack."""

    name: str
    via: str


class Endpoints(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the outside systems answer. The defaults are the real providers."""

    service_url: str = "http://127.0.0.1:9600"
    """Where Alertmanager reaches this service."""
    slack_api_url: str | None = None
    """Base of Slack's Web API, ending in /api/. None: Slack itself."""
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"
    """The full address events are sent to."""
    telegram_url: str = "https://api.telegram.org"
    """Base of the Bot API, without the token."""
    smtp_host: str = "localhost"
    smtp_port: int = 587
    smtp_user: str = "abops"
    secrets_dir: str = "/etc/alertmanager/secrets"
    """Folder of the secret files: ingest, slack, slack-webhook, pd-dev, telegram, smtp."""


class ServiceSettings(Struct, frozen=True):
    """How the alert service behaves; every number has its reason."""

    resolve_after_s: float = 300
    """Seconds without a firing member until an incident resolves: longer than a flap's pause."""
    gap_s: float = 300
    """Seconds since an incident's alert in which one that surely belongs to it still joins;
    the less speaks for it, the fewer."""
    heartbeat_timeout_s: float = 180
    """Seconds of Watchdog silence until DeadMansSwitch: three missed minutes."""
    page_fallback_after_s: float = 60
    """Seconds until a page that its channel has not accepted goes to the fallback channels."""
    reconcile_every_s: float = 60
    """Seconds between two comparisons with Alertmanager's own list."""
    vanished_after_s: float = 300
    """Seconds an alert may be missing from Alertmanager until it counts as resolved."""
    update_every_s: float = 2
    """Seconds an incident's changes are collected before its message is edited."""
    page_watch_s: float = 1.5
    """Seconds a page waits that comes within seconds of another one: if a storm begins meanwhile,
    it speaks for both. The first page never waits."""
    queue_limit: int = 20_000
    """Alerts waiting to be stored; above it the service answers 503 and the source retries."""
    stall_limit_s: float = 2
    """Seconds a commit may take until new alerts are answered 503."""
    volatile_labels: tuple[str, ...] = ("prometheus", "prometheus_replica", "replica")
    """Labels that differ between twins which watch the same thing."""


class AlertEvent(Struct, frozen=True):
    """One thing a source said about one alert."""

    key: bytes
    """Identifies the statement: twins, repeats and retries carry the same one."""
    fingerprint: str
    """Identifies the alert: a hash of its labels without the volatile ones."""
    status: AlertStatus
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime | None
    """When it ended. None while it fires."""
    generator_url: str = ""
    source: str = "alertmanager"
    """Who said it: alertmanager, reconcile (read from its list), or abops itself."""


class Alert(Struct, frozen=True):
    """What is known of one fingerprint."""

    fingerprint: str
    name: str
    severity: Severity
    service: str
    env: str
    state: AlertStatus
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime | None
    ended_by: str = ""
    """What ended it: its source, or `vanished`."""
    flapping: bool = False
    """Whether it comes and goes, so that its changes are counted instead of told."""
    changes: int = 0
    """Changes that were counted since it flaps."""
    generator_url: str = ""


class Member(Struct, frozen=True):
    """An alert within an incident, and why it joined."""

    alert: Alert
    reason: str
    joined_at: datetime
    terms: tuple[str, ...] = ()
    """What spoke for joining, strongest first."""


class SuspectedCause(Struct, frozen=True):
    """Where an incident may have begun, and what speaks for it."""

    entity: str
    share: float
    """How much of the evidence points here, 0 to 1; the shares of an incident's causes add up
    to 1 at most."""
    terms: tuple[str, ...]
    """What speaks for it, in words."""
    missing: tuple[str, ...] = ()
    """What was not there to decide by; the same for all causes of an incident."""


class TimelineEntry(Struct, frozen=True):
    """Something that happened to an incident."""

    at: datetime
    kind: TimelineKind
    text: str
    actor: str = "abops"


class OutboxItem(Struct, frozen=True):
    """Something that has to be told to one channel, until the channel has said so."""

    id: int
    key: str
    incident: int
    channel: str
    kind: DeliveryKind
    severity: Severity
    page: bool
    """Whether this wakes somebody up: if it is not accepted in time, others are told."""
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_at: datetime


class Delivery(Struct, frozen=True):
    """What became of an outbox item, for people."""

    channel: str
    kind: DeliveryKind
    state: DeliveryState
    attempts: int
    created_at: datetime
    delivered_at: datetime | None = None
    latency_s: float | None = None
    """Seconds from the first alert's start to the channel's answer."""
    error: str = ""


class IncidentSummary(Struct, frozen=True):
    """One line of the list of incidents."""

    number: int
    title: str
    state: IncidentState
    severity: Severity
    service: str
    env: str
    team: str
    opened_at: datetime
    updated_at: datetime
    """When its last alert arrived or changed."""
    alerts: int
    firing: int
    channels: tuple[str, ...] = ()
    """Channels it was or is being told to."""
    acked_at: datetime | None = None
    acked_by: str = ""
    resolved_at: datetime | None = None
    recurs: int | None = None
    """The resolved incident of the same service that came before it, within a day."""
    revision: int = 0
    """Grows with every change; a message of an older revision is out of date."""
    shape: IncidentShape = "alerts"
    """`storm`: it stands for a flood, and its alerts are told in digests."""
    owner: str = ""
    merged_into: int | None = None
    """The incident that took its alerts over."""
    score: float | None = None
    """Probability that somebody has to act, 0 to 1. None: nothing has been learned yet."""
    score_terms: tuple[str, ...] = ()
    cause: str = ""
    """The first of its suspected causes."""
    level: int = 0
    """The highest level of the escalation that was paged; 0: none."""
    noise: bool = False


class StormSample(Struct, frozen=True):
    """One alert of a storm that stands for others."""

    kind: str
    entity: str
    """What it is about: a pod, a host, a service."""
    severity: Severity
    stands_for: int
    """Alerts around the same thing, itself included."""
    reason: str


class Storm(Struct, frozen=True):
    """More alerts than anybody reads, told as one incident."""

    scope: str
    """What it rages over, in words: one service, or a whole environment."""
    incident: int
    began_at: datetime
    ended_at: datetime | None
    rate: float
    """Most alerts in one of its minutes so far."""
    baseline: float
    """Alerts a minute that were normal before it."""
    alerts: int
    digested: int
    """Alerts that were told in digests only."""
    paged_alone: int
    """Alerts that were told by themselves: critical, of a kind not seen for a week."""
    samples: tuple[StormSample, ...]


class IncidentDetail(Struct, frozen=True):
    """Everything the page of one incident shows."""

    summary: IncidentSummary
    members: tuple[Member, ...]
    """The alerts, firing ones first, at most as many as were asked for."""
    timeline: tuple[TimelineEntry, ...]
    deliveries: tuple[Delivery, ...]
    runbook_url: str = ""
    description: str = ""
    causes: tuple[SuspectedCause, ...] = ()
    storm: Storm | None = None
    """The storm it stands for."""


class ServiceEvent(Struct, frozen=True):
    """What subscribers hear: an incident changed."""

    kind: EventKind
    number: int
    at: datetime


class IngestResult(Struct, frozen=True):
    """What became of one webhook body."""

    accepted: int
    """Alerts stored by this request."""
    duplicates: int
    """Alerts that were known already: twins, repeats, retries."""
    rejected: int
    """Alerts that could not be read; they are kept for people to look at."""


class Readiness(Struct, frozen=True):
    """Whether the service can store what it is sent, and if not, why."""

    ready: bool
    reasons: tuple[str, ...] = ()


class Channel(Struct, frozen=True):
    """A place where people are told."""

    name: str
    type: ChannelType
    secret_file: str = ""
    """Name of the file that holds its token, key or password."""
    address: str = ""
    """Slack channel, Telegram chat."""
    to: tuple[str, ...] = ()
    sender: str = ""
    fallback_file: str = ""
    """The key that is used as long as the secret's own file is not there."""


class QuietHours(Struct, frozen=True):
    """When a team sleeps, by its local time: minutes of the day."""

    begin: int
    end: int
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    """Days on which they begin; 0 is Monday."""


class OnCall(Struct, frozen=True):
    """Who of a team is on call: its members take turns."""

    members: tuple[str, ...]
    rotate: Literal["daily", "weekly"] = "weekly"
    weekday: int = 0
    """Weekly: the day of the handover; 0 is Monday."""
    hour: int = 9
    minute: int = 0
    tz: str = "UTC"


class Team(Struct, frozen=True):
    """Who is told, and by which channels."""

    name: str
    page: str
    chat: str
    fallback: tuple[str, ...] = ()
    oncall: OnCall | None = None
    tz: str = "UTC"
    quiet: QuietHours | None = None


class Level(Struct, frozen=True):
    """One level of an escalation: whom to page, and how long after the first page."""

    team: str
    after_s: float


class Policy(Struct, frozen=True):
    """How an incident escalates as long as nobody takes care of it."""

    levels: tuple[Level, ...]
    repeat: int = 3
    """Times all levels are paged."""
    ack_expires_s: float = 14_400
    resume_after_s: float = 300
    """Seconds from an acknowledgement that no longer counts to the next level."""
    unaccepted_after_s: float = 120
    """Seconds a level's page may go unaccepted until the next level is paged."""
    remind_every_s: float = 3_600
    """Seconds between two reminders in the chat once every level was paged often enough."""


class Route(Struct, frozen=True):
    """What matches goes to these channels or roles."""

    match: str
    matchers: tuple[Matcher, ...]
    send: tuple[str, ...]
    escalate: str = DEFAULT_POLICY
    digest: Digesting = "never"
    min_alerts: int = 1
    """Alerts that have to fire, begun within `within_s`, before anybody is told."""
    within_s: float = 300


class GroupingRule(Struct, frozen=True):
    """Two sorts of alerts of which people know that they belong together, or do not."""

    name: str
    one: str
    other: str
    """Matchers, as they are written."""
    together: bool
    within_s: float = 3_600


class RouteTest(Struct, frozen=True):
    """A set of labels and the channels it must reach."""

    labels: dict[str, str]
    expect: tuple[str, ...]


class Routing(Struct, frozen=True):
    """Who is told what: the inventory's view of it, as values."""

    public_url: str
    channels: dict[str, Channel]
    teams: dict[str, Team]
    routes: tuple[Route, ...]
    owners: dict[str, str] = field(default_factory=dict)
    """Team by service."""
    summaries: tuple[str, ...] = ()
    tests: tuple[RouteTest, ...] = ()
    escalation: Policy | None = None
    """How critical incidents escalate. None: whom the routes name is told, and nobody else."""
    policies: dict[str, Policy] = field(default_factory=dict)
    """The other policies, by the name that routes call them."""
    tz: str = "UTC"
    """Where the jobs of certain hours live."""
    grouping: tuple[GroupingRule, ...] = ()

    def policy(self, name: str) -> Policy | None:
        """Return how an incident of a route escalates; the default for a name that has gone."""
        return self.policies.get(name, self.escalation)


class RouteDecision(Struct, frozen=True):
    """Where an alert goes and why."""

    team: str
    channels: tuple[str, ...]
    pages: frozenset[str]
    """Those of the channels that wake somebody up."""
    rule: int | None
    """Position of the route that decided. None: no route matched, the team's chat is told."""
    why: str
    policy: str = DEFAULT_POLICY
    """How it escalates, if it is critical."""
    digest: Digesting = "never"
    urgent: bool = False
    """Whether it waits neither for the morning nor for a digest."""
    min_alerts: int = 1
    within_s: float = 300


class ServiceConfig(Struct, frozen=True):
    """What one alert service is made from."""

    env: str
    routing: Routing
    data_dir: Path
    endpoints: Endpoints = Endpoints()
    settings: ServiceSettings = ServiceSettings()
    calls: tuple[tuple[str, str], ...] = ()
    """Which part calls which, by name: what a likely cause is followed along."""
    alertmanager_url: str | None = None
    """Where to compare notes. None: only what arrives is known."""
    jaeger_url: str | None = None
    """Where calls that were made are asked for. None: only those that are written down count."""
    name: str = "abops"
    """What the platform is called, in letters."""
    keep_events_s: float = 90 * 86_400
    keep_incidents_s: float = 730 * 86_400
    """How long it is kept after its end what was said and what was done."""
