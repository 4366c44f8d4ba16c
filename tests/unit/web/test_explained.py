from datetime import UTC, datetime

from abops.alerts.model import (
    Channel,
    Level,
    OnCall,
    Policy,
    QuietHours,
    Route,
    Routing,
    Team,
)
from abops.alerts.route.matcher import parse_matchers
from abops.alerts.route.silence import Quiet
from abops.alerts.route.tree import decide
from abops.entry.web.explained import Explained, explain

NOON = datetime(2026, 11, 26, 12, 10, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)


def a_route(match: str, *send: str, **how: object) -> Route:
    return Route(match, parse_matchers(match), send, **how)  # type: ignore[arg-type]


ROUTING = Routing(
    "",
    {"pd": Channel("pd", "pagerduty"), "ops": Channel("ops", "slack")},
    {
        "dev": Team("dev", "pd", "ops", oncall=OnCall(("ana",)), quiet=QuietHours(22 * 60, 7 * 60)),
        "devops": Team("devops", "pd", "ops"),
    },
    (
        a_route('severity="critical", category="security"', "page", "chat"),
        a_route('severity="critical"', "page"),
        a_route('severity="info"', "chat", digest="always"),
        a_route('team="devops"', "chat"),
    ),
    owners={"api": "dev", "postgres": "devops"},
    escalation=Policy((Level("dev", 0), Level("devops", 900))),
)


def asked(now: datetime = NOON, *active: Quiet, **labels: str) -> Explained:
    return explain(ROUTING, labels, active, now)


def test_each_route_that_was_passed_over_says_for_want_of_what() -> None:
    found = asked(severity="critical", service="api")
    assert [("it has no category", False), ("", True)] == [
        (one.because, one.decides) for one in found.tried
    ]
    assert decide(ROUTING, {"severity": "critical", "service": "api"}) == found.decision


def test_a_route_may_match_by_the_team_that_the_service_belongs_to() -> None:
    found = asked(severity="warning", service="postgres")
    assert [False, False, False, True] == [one.decides for one in found.tried]
    assert "the owner of postgres" == found.team_because


def test_what_no_route_knows_has_passed_over_all_of_them() -> None:
    found = asked(severity="warning", service="web")
    assert [4, None] == [len(found.tried), found.decision.rule]
    assert "the first one, as neither a label nor its service says whose it is" == (
        found.team_because
    )


def test_only_what_is_critical_has_a_ladder() -> None:
    found = asked(severity="critical", service="api")
    assert found.ladder is not None
    assert ["dev", "devops"] == [step.team.name for step in found.ladder.steps]
    assert asked(severity="info", service="api").ladder is None


def test_what_comes_at_night_waits_for_the_morning_unless_it_is_critical() -> None:
    until = datetime(2026, 11, 27, 7, 0, tzinfo=UTC)
    assert until == asked(MIDNIGHT, severity="info", service="api").waits_until
    assert asked(MIDNIGHT, severity="critical", service="api").waits_until is None
    assert asked(MIDNIGHT, severity="info", category="security").waits_until is None


def test_a_digest_is_told_at_the_next_full_hour() -> None:
    found = asked(severity="info", service="api")
    assert datetime(2026, 11, 26, 13, 0, tzinfo=UTC) == found.waits_until
    assert "the hourly digest" == found.waits_for


def test_a_silence_that_is_open_would_keep_it_from_people() -> None:
    quiet = Quiet("silence 3", "a test", parse_matchers('service="api"'))
    assert quiet == asked(NOON, quiet, severity="critical", service="api").held_by
    assert asked(NOON, quiet, severity="critical", service="bot").held_by is None


def test_the_command_says_the_same() -> None:
    found = asked(severity="critical", service="api")
    assert "abops alerts routes explain 'severity=critical,service=api'" == found.command
