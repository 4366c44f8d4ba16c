"""Who is told about an alert.

Routes are tried in order and the first that matches decides. A route names channels, or the
roles `page` and `chat` of the alert's team. The team is the label `team`, or the owner of the
service. An alert that no route knows is told in its team's chat: nothing is lost for want of a
route.
"""

from collections.abc import Mapping

from msgspec import Struct

from abops.alerts.model import Channel, Route, RouteDecision, RouteTest, Routing, Team
from abops.alerts.route.matcher import matches
from abops.kernel.errors import OpsError

PAGING_TYPES = frozenset({"pagerduty"})
_DEFAULT = Route("", (), ("chat",))


class RouteTestError(OpsError):
    """A route test fails."""

    hint = "Ask `abops alerts routes explain LABELS` which route decides, and mend one of the two."


class RouteTestResult(Struct, frozen=True):
    """What a route test expected and what the routes say."""

    labels: dict[str, str]
    expected: tuple[str, ...]
    actual: tuple[str, ...]
    why: str

    @property
    def passed(self) -> bool:
        """Whether both name the same channels; their order does not matter."""
        return set(self.expected) == set(self.actual)


def decide(routing: Routing, labels: Mapping[str, str]) -> RouteDecision:
    """Return the channels for an alert with these labels, and why."""
    team = _team_of(routing, labels)
    known = {**labels, "team": team.name}
    for position, route in enumerate(routing.routes):
        if matches(route.matchers, known):
            why = f"route {position + 1}: {route.match}"
            return _decision(routing, team, route, position, why, urgent=is_urgent(labels))
    why = "no route matches: the team's chat is told"
    return _decision(routing, team, _DEFAULT, None, why, urgent=is_urgent(labels))


def is_urgent(labels: Mapping[str, str]) -> bool:
    """Say whether an alert waits for no morning and no digest: security, and what tests the way."""
    return labels.get("category") == "security" or labels.get("test") == "true"


def check(routing: Routing) -> tuple[RouteTestResult, ...]:
    """Evaluate the inventory's route tests."""
    return tuple(_check_one(routing, test) for test in routing.tests)


def fallback_channels(routing: Routing, team: str) -> tuple[str, ...]:
    """Return the channels that are told when a page of this team is not accepted."""
    found = routing.teams.get(team)
    return found.fallback if found else ()


def _check_one(routing: Routing, test: RouteTest) -> RouteTestResult:
    decision = decide(routing, test.labels)
    return RouteTestResult(test.labels, test.expect, decision.channels, decision.why)


def _team_of(routing: Routing, labels: Mapping[str, str]) -> Team:
    named = labels.get("team") or routing.owners.get(labels.get("service", ""), "")
    return routing.teams.get(named) or next(iter(routing.teams.values()))


def _decision(  # noqa: PLR0913 - what a decision consists of
    routing: Routing, team: Team, route: Route, rule: int | None, why: str, *, urgent: bool
) -> RouteDecision:
    roles = {"page": team.page, "chat": team.chat}
    channels = tuple(dict.fromkeys(roles.get(name, name) for name in route.send))
    return RouteDecision(
        team=team.name,
        channels=channels,
        pages=frozenset(name for name in channels if _pages(routing.channels[name])),
        rule=rule,
        why=why,
        policy=route.escalate,
        digest=route.digest,
        urgent=urgent,
        min_alerts=route.min_alerts,
        within_s=route.within_s,
    )


def _pages(channel: Channel) -> bool:
    return channel.type in PAGING_TYPES
