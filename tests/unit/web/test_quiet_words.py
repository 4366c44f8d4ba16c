"""Matchers written for a form, and matchers read out."""

import pytest

from abops.alerts.model import Alert
from abops.alerts.route.matcher import matches, parse_matchers
from abops.entry.web.quiet_words import in_words, matchers_of
from support.console import an_alert


def an(**labels: str) -> Alert:
    return an_alert(labels["alertname"], labels=labels)


def test_what_all_alerts_have_and_their_names_is_meant() -> None:
    alerts = [
        an(alertname="Slow", service="api", env="prod", instance="a"),
        an(alertname="Down", service="api", env="prod", instance="b"),
    ]
    assert 'alertname=~"Down|Slow", service="api", env="prod"' == matchers_of(alerts)


def test_one_alert_is_meant_with_its_place_and_nothing_else_is() -> None:
    alert = an(alertname='A "b" \\ c', service="api", instance="a.b:80", job="x")
    matchers = parse_matchers(matchers_of([alert]))
    assert matches(matchers, alert.labels)
    assert not matches(matchers, {**alert.labels, "instance": "other"})


def test_names_with_signs_of_regular_expressions_mean_themselves() -> None:
    alerts = [an(alertname="a.b"), an(alertname="c+")]
    matchers = parse_matchers(matchers_of(alerts))
    assert [True, True, False] == [
        matches(matchers, {"alertname": name}) for name in ("a.b", "c+", "axb")
    ]


def test_alerts_that_share_nothing_are_not_silenced_by_everything() -> None:
    alerts = [an(alertname=f"n{number}", service=f"s{number}") for number in range(20)]
    assert "" == matchers_of(alerts)
    assert "" == matchers_of([])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('service="api"', "service is api"),
        ('alertname="Slow", env!="dev"', "alert is Slow, env is not dev"),
        ('severity=~"warning|info|critical"', "severity is warning, info or critical"),
        ('severity!~"warning|info"', "severity is neither warning nor info"),
        ('pod=~"api-.*"', "pod is like api-.*"),
        ('team=""', "without team"),
        ('team!=""', "with team"),
        ("what is this", "what is this"),
    ],
)
def test_matchers_are_read_out(text: str, words: str) -> None:
    assert words == in_words(text)
