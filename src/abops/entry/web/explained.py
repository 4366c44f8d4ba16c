"""Where an alert with certain labels would go, and why: the decision itself, told step by step.

Nothing is decided here: the routes, the quiet hours and the silences that are asked are those
that the service asks. What is added is which routes were passed over and for want of what.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from abops.alerts.model import Channel, Route, RouteDecision, Routing
from abops.alerts.route.explain import levels_in_words, timing_in_words
from abops.alerts.route.matcher import matches
from abops.alerts.route.quiet import next_full_hour, quiet_until
from abops.alerts.route.silence import Quiet, silenced_by
from abops.alerts.route.tree import decide
from abops.entry.web.rota import Ladder, ladder, person_of

_CRITICAL = ("critical", "page")


class Tried(Struct, frozen=True):
    """A route that was asked."""

    number: int
    match: str
    decides: bool
    because: str
    """Why it does not match. Empty: it does."""


class Told(Struct, frozen=True):
    """A channel that is told."""

    channel: Channel
    role: str
    """`page`, `chat`, or nothing: the route names it."""
    pages: bool
    """Whether it wakes somebody up."""


class Explained(Struct, frozen=True):
    """Where it goes."""

    labels: Mapping[str, str]
    decision: RouteDecision
    team_because: str
    tried: tuple[Tried, ...]
    told: tuple[Told, ...]
    person: str
    """Who of its team is on call."""
    timing: str
    """What may keep it from being told at once, at any time."""
    held_by: Quiet | None
    """What would keep it from people now."""
    waits_until: datetime | None
    """If it came now it would be told then. None: at once."""
    waits_for: str
    ladder: Ladder | None

    @property
    def command(self) -> str:
        """The command that says the same."""
        labels = ",".join(f"{name}={value}" for name, value in self.labels.items())
        return f"abops alerts routes explain '{labels}'"


def explain(
    routing: Routing, labels: Mapping[str, str], active: Iterable[Quiet], now: datetime
) -> Explained:
    """Say where an alert with these labels would go if it came now."""
    decision = decide(routing, labels)
    team = routing.teams[decision.team]
    roles = {team.chat: "chat", team.page: "page"}
    until, waits_for = _waits(routing, decision, labels, now)
    policy = routing.policy(decision.policy)
    escalates = policy is not None and levels_in_words(routing, decision, labels)
    return Explained(
        labels=labels,
        decision=decision,
        team_because=_team_because(routing, labels),
        tried=tried(routing.routes, {**labels, "team": team.name}),
        told=tuple(
            Told(routing.channels[name], roles.get(name, ""), name in decision.pages)
            for name in decision.channels
        ),
        person=person_of(team, now),
        timing=timing_in_words(routing, decision, labels),
        held_by=silenced_by(active, labels),
        waits_until=until,
        waits_for=waits_for,
        ladder=ladder(routing, decision.policy, policy, now) if policy and escalates else None,
    )


def tried(routes: Sequence[Route], labels: Mapping[str, str]) -> tuple[Tried, ...]:
    """Return the routes that are asked: up to the one that matches."""
    found = []
    for number, route in enumerate(routes, start=1):
        fails = next((m for m in route.matchers if not matches((m,), labels)), None)
        because = ""
        if fails is not None:
            value = labels.get(fails.label, "")
            because = f"{fails.label} is {value}" if value else f"it has no {fails.label}"
        found.append(Tried(number, route.match, fails is None, because))
        if fails is None:
            break
    return tuple(found)


def _team_because(routing: Routing, labels: Mapping[str, str]) -> str:
    named, service = labels.get("team", ""), labels.get("service", "")
    if named in routing.teams:
        return "its label team says so"
    if named:
        return f"the first one, as there is no team {named}"
    if routing.owners.get(service) in routing.teams:
        return f"the owner of {service}"
    return "the first one, as neither a label nor its service says whose it is"


def _waits(
    routing: Routing, decision: RouteDecision, labels: Mapping[str, str], now: datetime
) -> tuple[datetime | None, str]:
    """Return until when it would wait if it came now, and for what."""
    if decision.urgent or labels.get("severity") in _CRITICAL:
        return None, ""
    morning = quiet_until(routing.teams[decision.team], now)
    digest = next_full_hour(now) if decision.digest == "always" else None
    if morning is not None and (digest is None or morning >= digest):
        return morning, f"the quiet hours of {decision.team} are over"
    return digest, "the hourly digest" if digest else ""
