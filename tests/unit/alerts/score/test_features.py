import math

import msgspec
import pytest

from abops.alerts.score.features import Circumstances, History, HistoryState, host_class

MINUTE = 60.0


def test_a_first_alert_is_new_in_every_way() -> None:
    history = History()
    history.observe("DiskFull", "db-1", 0.0)
    assert {
        "kind=DiskFull": 1.0,
        "class=db": 1.0,
        "ln n": math.log(2),
        "z": 0.0,
        "new pair": 1.0,
        "new kind": 1.0,
        "rarity": math.log(2),
        "pair rarity": math.log(2),
        "gap": 0.0,
        "kinds in 2 min": 0.0,
        "rarity in 2 min": 0.0,
        "rarest in 2 min": 0.0,
    } == history.describe("DiskFull", "db-1", 0.0)


def test_a_known_kind_on_a_new_host_is_a_new_pair_only() -> None:
    history = History()
    history.observe("DiskFull", "db-1", 0.0)
    history.observe("DiskFull", "db-2", 3 * MINUTE)
    found = history.describe("DiskFull", "db-2", 3 * MINUTE)
    assert (1.0, 0.0) == (found["new pair"], found["new kind"])


def test_numbers_follow_the_minutes_before() -> None:
    history = History()
    history.observe("Slow", "api", 0.0)
    history.observe("Slow", "api", 9 * MINUTE, count=3)
    found = history.describe("Slow", "api", 9 * MINUTE)
    assert math.log(4) == found["ln n"]
    assert pytest.approx((math.log(4) - math.log(2)) / math.sqrt(0.1)) == found["z"]
    assert math.log(10) == found["gap"]
    assert pytest.approx(math.log(11 / 2)) == found["rarity"]
    assert pytest.approx(math.log(11 / 2)) == found["pair rarity"]


def test_what_is_usual_follows_slowly() -> None:
    """Mean and variance after ln 2 and ln 4, each weighing a fiftieth."""
    history = History()
    for minute, count in enumerate((1, 3, 1)):
        history.observe("Slow", "api", minute * MINUTE, count=count)
    step = math.log(4) - math.log(2)
    mean, variance = math.log(2) + 0.02 * step, 0.1 + 0.02 * (step**2 - 0.1)
    expected = pytest.approx((math.log(2) - mean) / math.sqrt(variance))
    assert expected == history.describe("Slow", "api", 2 * MINUTE)["z"]


def test_other_kinds_count_for_two_minutes_on_their_host_only() -> None:
    history = History()
    history.observe("A", "api", 0.0)
    history.observe("B", "api", MINUTE)
    history.observe("C", "db", MINUTE)
    history.observe("D", "api", MINUTE)
    assert pytest.approx(math.log(3)) == history.describe("D", "api", MINUTE)["kinds in 2 min"]
    history.observe("D", "api", 2 * MINUTE)
    assert pytest.approx(math.log(2)) == history.describe("D", "api", 2 * MINUTE)["kinds in 2 min"]


def test_what_comes_later_changes_nothing_said_before() -> None:
    history = History()
    history.observe("A", "api", 0.0)
    said = history.describe("A", "api", 0.0)
    kept = dict(said)
    history.observe("A", "api", 5 * MINUTE, count=100)
    assert kept == said


def test_circumstances_that_are_not_known_are_left_out() -> None:
    history = History()
    history.observe("A", "api", 0.0)
    around = Circumstances(severity="critical", hour=6.0, ack_s=0.0)
    found = history.describe("A", "api", 0.0, around)
    assert (2.0, 1.0, 0.0) == (found["severity"], found["hour sin"], found["ack time"])
    assert "tier" not in found


def test_a_late_alert_does_not_turn_time_back() -> None:
    history = History()
    history.observe("A", "api", 5 * MINUTE)
    history.observe("A", "api", 0.0)
    assert pytest.approx(math.log(3)) == history.describe("A", "api", 5 * MINUTE)["ln n"]


def test_a_restored_history_says_the_same() -> None:
    history = History()
    for minute, kind in enumerate(("A", "B", "A", "C", "A")):
        history.observe(kind, f"host-{minute % 2}", minute * MINUTE)
    written = msgspec.json.encode(history.state())
    restored = History.restore(msgspec.json.decode(written, type=HistoryState))
    for one in (history, restored):
        one.observe("B", "host-1", 5 * MINUTE, count=7)
    assert history.describe("B", "host-1", 5 * MINUTE) == restored.describe(
        "B", "host-1", 5 * MINUTE
    )
    assert history.state() == restored.state()


@pytest.mark.parametrize(
    ("host", "expected"),
    [("smith_mail", "mail"), ("inet-firewall", "firewall"), ("node-7", "node"), ("10.0.0.1", "")],
)
def test_the_class_of_a_host_is_the_last_word_of_its_name(host: str, expected: str) -> None:
    assert expected == host_class(host)
