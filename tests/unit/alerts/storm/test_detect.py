"""When a storm begins, over what, when it ends, and that a restart changes nothing."""

import json
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abops.alerts.storm.detect import (
    FORGET_AFTER_S,
    Scope,
    StormBegan,
    StormChange,
    StormDetector,
    StormEnded,
)
from abops.alerts.storm.stream import StormSetting, Stream, _close, advance, threshold, trigger

NOON = 1_700_000_000.0
PROD = Scope("production")
API = Scope("production", "api")
SETTING = StormSetting()


def fed(
    detector: StormDetector, begin: float, count: int, *, service: str = "", over_s: float = 10
) -> list[StormChange]:
    """Give a number of alerts, evenly over some seconds."""
    return [
        change
        for n in range(count)
        for change in detector.observe(begin + n * over_s / count, "production", service)
    ]


def a_quiet_detector(days: int = 2) -> StormDetector:
    """One that has seen an alert every five minutes until noon."""
    detector = StormDetector()
    for n in range(days * 288):
        detector.observe(NOON - (days * 288 - n) * 300, "production", "api")
    return detector


def kinds(changes: list[StormChange]) -> list[tuple[str, Scope]]:
    """Name what happened to what."""
    return [("began" if isinstance(c, StormBegan) else "ended", c.scope) for c in changes]


def test_a_new_detector_calls_even_its_first_ten_seconds_a_storm() -> None:
    detector = StormDetector()
    changes = fed(detector, NOON, 1_000)
    assert [("began", PROD)] == kinds(changes)
    assert NOON + 1 >= changes[0].at


def test_a_quiet_first_bin_is_no_storm() -> None:
    detector = StormDetector()
    assert [] == fed(detector, NOON, 99)


def test_a_storm_begins_with_the_alert_that_reaches_the_threshold() -> None:
    detector = a_quiet_detector()
    _, baseline = detector.rate("production")
    needed = math.ceil(SETTING.ratio * baseline)
    assert needed > SETTING.floor
    assert [] == fed(detector, NOON, needed - 2)
    assert [] == fed(detector, NOON + 9.5, 1, over_s=0.1)
    assert [("began", PROD)] == kinds(fed(detector, NOON + 9.9, 1))


def test_below_twenty_a_minute_nothing_is_a_storm() -> None:
    stream = Stream(bin=0, baseline=0.0, mean=0.0, variance=0.25)
    assert 20 <= trigger(stream, SETTING)
    assert 20.0 == threshold(stream, SETTING)


def test_the_minute_before_counts_towards_the_threshold() -> None:
    quiet = Stream(bin=0, baseline=1.0, mean=0.0, variance=0.0, sum=5.0)
    after_some = msgspec.structs.replace(quiet, last=[0, 0, 30, 30, 30])
    assert 100 == trigger(quiet, SETTING)
    assert 10 == trigger(after_some, SETTING)


def test_a_steady_stream_however_busy_is_no_storm() -> None:
    detector = StormDetector()
    changes = [c for n in range(2_000) for c in fed(detector, NOON + n * 10, 15)]
    assert [] == changes


def test_one_service_that_makes_up_the_storm_is_named_alone() -> None:
    detector = a_quiet_detector()
    fed(detector, NOON, 9, service="bot")
    changes = fed(detector, NOON + 10, 500, service="api")
    assert [("began", API)] == kinds(changes)
    assert API == detector.storm_over("production", "api").scope  # type: ignore[union-attr]
    assert detector.storm_over("production", "bot") is None


def test_many_services_storming_are_one_storm_that_says_what_it_takes_in() -> None:
    detector = a_quiet_detector()
    changes = fed(detector, NOON, 300, service="api", over_s=5)
    changes += fed(detector, NOON + 5, 300, service="bot", over_s=5)
    assert [("began", API), ("began", PROD), ("ended", API)] == kinds(changes)
    whole, ended = changes[1:]
    assert isinstance(whole, StormBegan)
    assert (API,) == whole.absorbs
    assert isinstance(ended, StormEnded)
    assert PROD == ended.into
    assert (PROD,) == tuple(storm.scope for storm in detector.running())
    assert PROD == detector.storm_over("production", "worker").scope  # type: ignore[union-attr]


def test_a_flood_from_a_service_never_heard_of_is_its_own_storm() -> None:
    detector = a_quiet_detector()
    assert [("began", Scope("production", "new"))] == kinds(fed(detector, NOON, 500, service="new"))


def test_a_storm_of_a_service_that_is_no_longer_most_of_it_becomes_the_environments() -> None:
    detector = a_quiet_detector()
    fed(detector, NOON, 500, service="api")
    changes = fed(detector, NOON + 90, 900, service="bot", over_s=5)
    changes += fed(detector, NOON + 95, 900, service="worker", over_s=5)
    assert ("began", PROD) in kinds(changes)


def test_many_small_services_after_the_storm_of_one_are_the_environments() -> None:
    detector = a_quiet_detector()
    fed(detector, NOON, 500, service="api")
    changes = [
        change
        for n in range(600)
        for change in detector.observe(NOON + 90 + n / 100, "production", f"small-{n % 40}")
    ]
    assert [("began", PROD), ("ended", API)] == kinds(changes)


def test_a_few_alerts_of_others_leave_a_storm_to_its_service() -> None:
    detector = a_quiet_detector()
    fed(detector, NOON, 500, service="api", over_s=5)
    changes = [
        change
        for n in range(100)
        for change in detector.observe(NOON + 5 + n / 100, "production", f"small-{n % 40}")
    ]
    assert [] == changes


def test_two_environments_do_not_touch() -> None:
    detector = a_quiet_detector()
    fed(detector, NOON, 500, service="api")
    assert detector.storm_over("staging", "api") is None


@pytest.mark.parametrize(("after_s", "ended"), [(180, False), (189, False), (190, True)])
def test_a_storm_ends_after_three_quiet_minutes(after_s: int, *, ended: bool) -> None:
    # The storm fills the first bin; 18 quiet bins follow.
    detector = a_quiet_detector()
    begin = math.ceil(NOON / 10) * 10
    fed(detector, begin, 500, service="api")
    changes = detector.tick(begin + after_s)
    assert ended == (kinds(list(changes)) == [("ended", API)])


def test_the_end_counts_every_alert_of_the_storm() -> None:
    detector = a_quiet_detector()
    begin = math.ceil(NOON / 10) * 10
    fed(detector, begin, 500, service="api")
    fed(detector, begin + 60, 3, service="api")
    (ended,) = detector.tick(begin + 600)
    assert isinstance(ended, StormEnded)
    assert (503, 500) == (ended.alerts, ended.peak)
    assert ended.into is None


def test_alerts_in_the_quiet_minutes_belong_to_the_same_storm() -> None:
    detector = a_quiet_detector()
    fed(detector, NOON, 500, service="api")
    assert [] == fed(detector, NOON + 120, 500, service="api")


def test_a_storm_raises_the_baseline_by_nothing() -> None:
    detector = a_quiet_detector()
    _, before = detector.rate("production", "api")
    for second in range(0, 600, 10):
        fed(detector, NOON + second, 500, service="api")
    _, after = detector.rate("production", "api")
    assert after <= before


def test_the_same_storm_tomorrow_is_a_storm_again() -> None:
    detector = a_quiet_detector()
    fed(detector, NOON, 1_000, service="api")
    detector.tick(NOON + 600)
    changes = fed(detector, NOON + 86_400, 1_000, service="api")
    assert ("began", API) in kinds(changes)


def test_reasons_name_scope_rate_and_what_is_normal() -> None:
    detector = a_quiet_detector()
    (began,) = fed(detector, NOON, 500, service="api")
    assert began.reason.startswith("api in production: ")
    assert "normal are" in began.reason


def test_a_clock_that_steps_back_loses_no_alert() -> None:
    detector = a_quiet_detector()
    fed(detector, NOON, 10, service="api", over_s=1)
    detector.observe(NOON - 3_600, "production", "api")
    assert 11 <= detector.rate("production", "api")[0]


def test_a_scope_silent_for_a_week_is_forgotten() -> None:
    detector = a_quiet_detector()
    detector.tick(NOON + FORGET_AFTER_S + 600)
    assert (0, 0.0) == detector.rate("production", "api")


def test_skipping_empty_bins_equals_stepping_through_them() -> None:
    busy = Stream(bin=0, mean=2.0, variance=1.0, baseline=30.0, last=[0, 0, 0, 0, 0])
    stepped = msgspec.structs.replace(busy, last=[0, 0, 0, 0, 0])
    advance(busy, 50, SETTING)
    for _ in range(50):
        _close(stepped, SETTING)
    for name in ("mean", "variance", "baseline"):
        assert getattr(stepped, name) == pytest.approx(getattr(busy, name), rel=1e-9)
    assert stepped.bin == busy.bin


@given(
    mean=st.floats(0, 5),
    variance=st.floats(0, 3),
    total=st.floats(0, 20),
    baseline=st.floats(0, 50),
    last=st.lists(st.integers(0, 300), min_size=5, max_size=5),
)
def test_the_trigger_is_the_first_count_with_which_the_full_bin_alarms(
    mean: float, variance: float, total: float, baseline: float, last: list[int]
) -> None:
    def alarms(count: int) -> bool:
        stream = Stream(
            0, count, mean, variance, total, baseline, list(last), began_bin=0, quiet=7, alerts=1
        )
        _close(stream, SETTING)
        return stream.quiet == 0

    found = trigger(Stream(0, 0, mean, variance, total, baseline, list(last)), SETTING)
    assert [True, found == 1] == [alarms(found), alarms(found - 1) or found == 1]


def test_a_storm_that_lasts_for_an_hour_is_one_storm() -> None:
    detector = a_quiet_detector()
    changes = [c for n in range(360) for c in fed(detector, NOON + n * 10, 100, service="api")]
    assert [("began", API)] == kinds(changes)
    assert 36_000 == sum(
        change.alerts for change in detector.tick(NOON + 7_200) if isinstance(change, StormEnded)
    )


def test_a_level_that_stays_becomes_normal_within_a_day() -> None:
    detector = a_quiet_detector()
    for n in range(8_640):
        fed(detector, NOON + n * 10, 10, service="api")
    assert () == detector.running()


BURSTS = st.lists(
    st.tuples(
        st.integers(0, 400), st.integers(1, 200), st.sampled_from(["", "api", "bot", "worker"])
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(bursts=BURSTS, cut=st.integers(0, 40))
def test_a_restart_changes_nothing(bursts: list[tuple[int, int, str]], cut: int) -> None:
    straight, restarted = StormDetector(), StormDetector()
    at = NOON
    for place, (gap, count, service) in enumerate(bursts):
        at += gap
        if place == cut:
            restarted = StormDetector.restore(json.loads(json.dumps(restarted.state())))
        assert fed(straight, at, count, service=service) == fed(
            restarted, at, count, service=service
        )
        assert straight.tick(at + 10) == restarted.tick(at + 10)
    assert straight.state() == restarted.state()


@settings(deadline=None, max_examples=60)
@given(bursts=BURSTS)
def test_every_storm_that_begins_ends_once(bursts: list[tuple[int, int, str]]) -> None:
    detector, at = StormDetector(), NOON
    changes: list[StormChange] = []
    for gap, count, service in bursts:
        at += gap
        changes += fed(detector, at, count, service=service)
        changes += detector.tick(at + 10)
    changes += detector.tick(at + 3_600)
    open_: set[Scope] = set()
    for change in changes:
        if isinstance(change, StormBegan):
            assert change.scope not in open_
            open_.add(change.scope)
        else:
            open_.remove(change.scope)
    assert set() == open_
    assert () == detector.running()
