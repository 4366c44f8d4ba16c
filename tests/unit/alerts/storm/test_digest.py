"""Who is told what in a storm: few messages, and every alert counted in them."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.model import ChannelType, Severity
from abops.alerts.storm.detect import StormBegan, StormDetector
from abops.alerts.storm.digest import (
    ALONE_PAGES,
    DIGEST_EVERY_S,
    REPRESENTATIVES,
    UNSEEN_S,
    Digest,
    Say,
    StormAlert,
    Told,
    alone,
    due,
    due_at,
    is_unheard_of,
)

NOON = 1_700_000_000.0
CHANNELS: tuple[tuple[str, ChannelType], ...] = (
    ("pd-dev", "pagerduty"),
    ("slack-ops", "slack"),
    ("tg-security", "telegram"),
)


def an_alert(
    n: int = 0,
    kind: str = "PodDown",
    cluster: str = "node-1",
    severity: Severity = "warning",
    at: float = NOON,
) -> StormAlert:
    """One alert of a storm."""
    return StormAlert(f"f{n}", kind, f"pod-{n}", cluster, severity, at)


def told_by(says: tuple[Say, ...]) -> list[tuple[str, str, int]]:
    """Name what is said."""
    return [(say.channel, say.what, say.alerts) for say in says]


def test_a_storm_is_told_at_once_on_every_channel() -> None:
    says = due(CHANNELS, {}, 25, NOON)
    assert [(name, "first", 25) for name, _ in CHANNELS] == told_by(says)


@pytest.mark.parametrize(("after_s", "expected"), [(59.9, []), (60, [("slack-ops", "digest", 5)])])
def test_then_one_digest_a_minute(after_s: float, expected: list[tuple[str, str, int]]) -> None:
    told = {"slack-ops": Told(NOON, 25, 1)}
    assert expected == told_by(due([("slack-ops", "slack")], told, 30, NOON + after_s))


def test_a_pager_gets_no_digest() -> None:
    told = {"pd-dev": Told(NOON, 25, 1)}
    assert [] == told_by(due([("pd-dev", "pagerduty")], told, 9_000, NOON + 600))


def test_nothing_new_is_no_digest() -> None:
    told = {"slack-ops": Told(NOON, 25, 1)}
    assert [] == told_by(due([("slack-ops", "slack")], told, 25, NOON + 600))


def test_the_end_is_told_to_all_with_what_was_not_counted_yet() -> None:
    told = {"pd-dev": Told(NOON, 25, 1), "slack-ops": Told(NOON, 90, 2)}
    says = due(CHANNELS[:2], told, 100, NOON + 5, over=True)
    assert [("pd-dev", "over", 75), ("slack-ops", "over", 10)] == told_by(says)


def test_a_digest_is_due_a_minute_after_the_last_message() -> None:
    told = {"a": Told(NOON, 1, 1), "b": Told(NOON - 10, 1, 1)}
    assert due_at(told, NOON) == NOON - 10 + DIGEST_EVERY_S


def test_ten_alerts_at_most_stand_for_a_storm() -> None:
    digest = Digest(NOON)
    for n in range(300):
        digest.observe(an_alert(n, cluster=f"node-{n % 30}"), NOON)
    assert REPRESENTATIVES == len(digest.representatives({}))


def test_of_each_cluster_the_rarest_kind_stands_for_it() -> None:
    digest = Digest(NOON)
    for n in range(50):
        digest.observe(an_alert(n), NOON)
    digest.observe(an_alert(50, kind="DiskFailed"), NOON)
    (found,) = digest.representatives({})
    assert ("DiskFailed", 51) == (found.alert.kind, found.stands_for)
    assert "rarest kind of 51 alerts around node-1" in found.reason


def test_what_was_common_before_the_storm_is_not_rare() -> None:
    digest = Digest(NOON)
    digest.observe(an_alert(0, kind="Chatter"), NOON)
    for n in range(1, 9):
        digest.observe(an_alert(n, kind="Seldom"), NOON)
    (found,) = digest.representatives({"Chatter": 5_000.0})
    assert found.alert.kind == "Seldom"


def test_clusters_with_a_critical_come_first_then_the_largest() -> None:
    digest = Digest(NOON)
    for n in range(20):
        digest.observe(an_alert(n, cluster="many"), NOON)
    digest.observe(an_alert(21, cluster="few"), NOON)
    digest.observe(an_alert(22, kind="Lost", cluster="hurt", severity="critical"), NOON)
    order = [found.alert.cluster for found in digest.representatives({})]
    assert ["hurt", "many", "few"] == order


@pytest.mark.parametrize(
    ("severity", "last_seen", "expected"),
    [
        ("critical", None, True),
        ("critical", NOON - UNSEEN_S, True),
        ("critical", NOON - UNSEEN_S + 1, False),
        ("warning", None, False),
    ],
)
def test_only_a_critical_kind_unseen_for_a_week_pages_alone(
    severity: Severity, last_seen: float | None, *, expected: bool
) -> None:
    assert expected == is_unheard_of(an_alert(severity=severity), last_seen)


def test_a_kind_pages_alone_once_and_at_most_two_kinds_do() -> None:
    digest = Digest(NOON)
    paged = [
        digest.observe(an_alert(n, kind=f"New{n % 5}", severity="critical"), None)
        for n in range(50)
    ]
    assert ALONE_PAGES == sum(paged)
    assert [True, True, False] == paged[:3]
    assert 48 == digest.digested


def test_the_second_alert_of_a_kind_pages_nobody() -> None:
    digest = Digest(NOON)
    lost = an_alert(kind="Lost", severity="critical")
    assert [True, False] == [digest.observe(lost, None) for _ in range(2)]


def test_a_page_alone_counts_no_alert_of_the_storm_twice() -> None:
    told = Told(NOON, 25, 1)
    say = alone("pd-dev", told, an_alert(kind="Lost", severity="critical"))
    assert (0, Told(NOON, 25, 2)) == (say.alerts, say.told)


def test_a_restart_changes_nothing() -> None:
    straight, restarted = Digest(NOON), Digest(NOON)
    for n in range(40):
        alert = an_alert(n, kind=f"K{n % 7}", cluster=f"c{n % 3}", severity="critical")
        assert straight.observe(alert, None) == restarted.observe(alert, None)
        restarted = Digest.restore(json.loads(json.dumps(restarted.state())))
    assert straight == restarted


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 100)), min_size=1, max_size=50))
def test_every_alert_is_counted_in_one_message_of_each_channel(
    arrivals: list[tuple[int, float]],
) -> None:
    told: dict[str, Told] = {}
    counted = {name: 0 for name, _ in CHANNELS}
    total, now = 0, NOON
    for place, (count, gap) in enumerate([*arrivals, (0, 0.0)]):
        total, now = total + count, now + gap
        for say in due(CHANNELS, told, total, now, over=place == len(arrivals)):
            counted[say.channel] += say.alerts
            told[say.channel] = say.told
    assert {name: total for name, _ in CHANNELS} == counted


def test_ten_thousand_alerts_in_a_minute_are_three_pages_at_most() -> None:
    # A node of a busy platform dies: 12 services, 40 kinds, critical ones never seen before.
    draw = random.Random(0)  # noqa: S311 - the same storm in every run
    detector = StormDetector()
    for n in range(2_000):
        detector.observe(NOON - 86_400 + n * 43.2, "production", f"service-{n % 12}")
    digest: Digest | None = None
    told: dict[str, Told] = {}
    messages: list[Say] = []
    before = 0
    for n in range(10_000):
        at = NOON + n * 60 / 10_000
        service = f"service-{draw.randrange(12)}"
        changes = detector.observe(at, "production", service)
        if digest is None and any(isinstance(change, StormBegan) for change in changes):
            digest = Digest(at)
        if digest is None:
            before += 1
            continue
        kind = f"Kind{draw.randrange(40)}"
        critical: Severity = "critical" if kind < "Kind2" else "warning"
        alert = StormAlert(f"f{n}", kind, service, f"node-{n % 20}", critical, at)
        says = list(due(CHANNELS, told, digest.total + 1, at))
        if digest.observe(alert, None):
            says += [alone("pd-dev", says[0].told if says else told["pd-dev"], alert)]
        for say in says:
            told[say.channel] = say.told
        messages += says
    assert digest is not None
    messages += due(CHANNELS, told, digest.total, NOON + 61)
    messages += due(
        CHANNELS, {s.channel: s.told for s in messages}, digest.total, NOON + 400, over=True
    )
    pages = [say for say in messages if say.channel == "pd-dev" and say.what != "over"]
    chat = [say for say in messages if say.channel == "slack-ops"]
    assert ["first", "alone", "alone"] == [say.what for say in pages]
    assert ["first", "digest", "over"] == [say.what for say in chat]
    assert before + sum(say.alerts for say in chat) == 10_000
    assert before < 200
    assert 1 == len(detector.running())
