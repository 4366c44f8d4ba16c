"""How people are told, as platform.yaml says it under `alerts`."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from abops.inventory.matchers import parse_matchers
from abops.inventory.values import WEEKDAYS, Duration, Model, Name, Weekday, Zone


def _matchers(value: object) -> object:
    if isinstance(value, str) and not parse_matchers(value):
        raise ValueError("a list of matchers may not be empty")
    return value


def _rising(levels: "tuple[Level, ...]") -> "tuple[Level, ...]":
    times = [level.after for level in levels]
    if times != sorted(set(times)):
        raise ValueError("each level comes later than the one before")
    return levels


Matchers = Annotated[str, BeforeValidator(_matchers)]
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class PagerDutyChannel(Model):
    """PagerDuty Events v2."""

    type: Literal["pagerduty"]
    routing_key_file: str
    fallback_key_file: str | None = None
    """The key that is used as long as the file of the first one is not there: one that several
    channels share."""


class SlackChannel(Model):
    """A Slack channel, written to with a bot's token."""

    type: Literal["slack"]
    channel: str
    token_file: str


class TelegramChannel(Model):
    """A Telegram chat, written to by a bot of the platform's own."""

    type: Literal["telegram"]
    chat_id: int
    token_file: str


class EmailChannel(Model):
    """An e-mail address list."""

    type: Literal["email"]
    to: Annotated[tuple[str, ...], Field(min_length=1)]
    sender: str
    password_file: str | None = None


Channel = Annotated[
    PagerDutyChannel | SlackChannel | TelegramChannel | EmailChannel, Field(discriminator="type")
]


class OnCall(Model):
    """Who of a team is on call: its members take turns."""

    rotate: Literal["daily", "weekly"] = "weekly"
    handover: Annotated[
        str, Field(pattern=r"^(mon|tue|wed|thu|fri|sat|sun) ([01]\d|2[0-3]):[0-5]\d$")
    ] = "mon 09:00"
    """Day and local time at which the next one takes over; daily: the day does not matter."""
    tz: Zone = "UTC"
    members: Annotated[tuple[Name, ...], Field(min_length=1)]


class QuietHours(Model):
    """When a team sleeps: what is not critical waits until the end."""

    begin: TimeOfDay
    end: TimeOfDay
    """Local times of the team; an end before the beginning is on the next day."""
    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS
    """Days on which they begin."""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.begin == self.end:
            raise ValueError("quiet hours end at another time than they begin")
        return self


class Team(Model):
    """Who is told, by which channels."""

    page: Name
    chat: Name
    fallback: tuple[Name, ...] = ()
    oncall: OnCall | None = None
    tz: Zone | None = None
    """Where the team lives. Without it: the rotation's zone, or else `alerts.tz`."""
    quiet: QuietHours | None = None
    """When only what is critical, about security, a storm or a test is told."""


class Level(Model):
    """One level of an escalation."""

    team: Name
    after: Duration
    """Time from the first page."""


class Escalation(Model):
    """Who is paged next as long as nobody takes care of a critical incident."""

    levels: Annotated[tuple[Level, ...], Field(min_length=1), AfterValidator(_rising)]
    repeat: Annotated[int, Field(ge=1, le=10)] = 3
    """Times all levels are paged; after that the chat is reminded every hour."""
    ack_expires: Duration = timedelta(hours=4)
    """Time after which an acknowledgement no longer counts."""


class Route(Model):
    """Which alerts go where."""

    match: Matchers
    send: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of channels, or the roles `page` and `chat` of the alert's team."""
    escalate: Name | None = None
    """The policy by which a critical incident escalates. Without it: `default`, if there is one."""
    digest: Literal["never", "unlikely", "always"] = "never"
    """What is told in the chat's hourly digest: nothing, warnings whose score says that hardly
    anybody ever has to act, everything that does not page."""
    min_alerts: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Alerts that have to fire before anybody hears of them."""
    within: Duration = timedelta(minutes=5)
    """Time within which so many have to have begun."""


class RouteTest(Model):
    """An example alert and the channels it must reach."""

    labels: dict[str, str]
    expect: tuple[Name, ...]


class GroupingRule(Model):
    """What people know of which alerts belong together; it goes before what was learned."""

    name: Name
    join: tuple[Matchers, Matchers] | None = None
    """Two sorts of alerts that are one incident."""
    apart: tuple[Matchers, Matchers] | None = None
    """Two sorts of alerts that are never one incident."""
    within: Duration = timedelta(hours=1)
    """Time since the other one in which an alert still joins."""

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if (self.join is None) is (self.apart is None):
            raise ValueError("a rule says either `join` or `apart`")
        return self


class Retention(Model):
    """How long what happened is kept."""

    events: Duration = timedelta(days=90)
    """What sources said, letter by letter."""
    incidents: Duration = timedelta(days=730)
    """Resolved incidents with all that was done; those that are open are kept."""


class Alerts(Model):
    """How people are told."""

    public_url: Annotated[str, Field(pattern=r"^https?://")]
    tz: Zone = "UTC"
    """Where it is night at 03:00 and Monday at 08:00: for the jobs of these hours."""
    channels: dict[Name, Channel]
    teams: Annotated[dict[Name, Team], Field(min_length=1)]
    escalation: dict[Name, Escalation] = Field(default_factory=dict)
    """How critical incidents escalate: policies by name; `default` where a route names none."""
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    summaries: tuple[Name, ...] = ()
    """Channels of weekly and scheduled reports."""
    route_tests: tuple[RouteTest, ...] = ()
    grouping: tuple[GroupingRule, ...] = ()
    retention: Retention = Retention()
