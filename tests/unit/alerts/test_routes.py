from pathlib import Path

import pytest

from abops.alerts.model import Routing
from abops.alerts.route.from_inventory import routing_of
from abops.alerts.route.matcher import (
    MatcherSyntaxError,
    matches,
    parse_labels,
    parse_matchers,
)
from abops.alerts.route.tree import check, decide, fallback_channels
from abops.inventory.load import load_inventory

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def routing() -> Routing:
    return routing_of(load_inventory(ROOT / "platform.yaml"))


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ('severity="critical"', {"severity": "critical"}, True),
        ('severity="critical"', {}, False),
        ("severity=critical, service=api", {"severity": "critical", "service": "api"}, True),
        ('{severity="critical",}', {"severity": "critical"}, True),
        ('service=~"api|bot"', {"service": "bot"}, True),
        ('service=~"api|bot"', {"service": "bots"}, False),
        ('service!~"api|bot"', {"service": "bots"}, True),
        ('service!="api"', {}, True),
        ('path="a,b\\"c"', {"path": 'a,b"c'}, True),
        ("", {}, True),
    ],
)
def test_matchers_follow_alertmanager(text: str, labels: dict[str, str], expected: bool) -> None:  # noqa: FBT001 - a table
    assert expected == matches(parse_matchers(text), labels)


@pytest.mark.parametrize("text", ['severity"x"', 'a="b" c="d"', "=x", 'a=~"("', 'a="b'])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(MatcherSyntaxError):
        parse_matchers(text)


def test_labels_are_read_from_the_command_line() -> None:
    assert {"severity": "critical", "service": "api"} == parse_labels(
        "severity=critical,service=api"
    )
    with pytest.raises(MatcherSyntaxError):
        parse_labels("severity=~critical")


def test_the_route_tests_of_the_inventory_pass(routing: Routing) -> None:
    assert [] == [result for result in check(routing) if not result.passed]


def test_the_first_route_that_matches_decides(routing: Routing) -> None:
    decision = decide(routing, {"severity": "critical", "category": "security", "team": "dev"})
    assert 0 == decision.rule
    assert ("pd-dev", "slack-ops", "tg-security") == decision.channels
    assert {"pd-dev"} == decision.pages


def test_an_alert_without_a_team_belongs_to_the_owner_of_its_service(routing: Routing) -> None:
    assert "devops" == decide(routing, {"severity": "info", "service": "postgres"}).team


def test_an_alert_that_no_route_knows_is_told_in_the_teams_chat(routing: Routing) -> None:
    decision = decide(routing, {"alertname": "Odd", "severity": "none"})
    assert (("slack-ops",), None) == (decision.channels, decision.rule)


def test_fallback_of_an_unknown_team_is_nobody(routing: Routing) -> None:
    assert ("tg-security",) == fallback_channels(routing, "dev")
    assert () == fallback_channels(routing, "nobody")
