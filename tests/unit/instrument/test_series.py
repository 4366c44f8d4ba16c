from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from abops_instrument.series import OVERFLOW, REQUEST_BUCKETS, RUNTIME_SERIES, Families


def series_of(registry: CollectorRegistry, name: str) -> int:
    return sum(
        len(metric.samples)
        for metric in registry.collect()
        if metric.name == name.removesuffix("_total")
    )


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return registry.get_sample_value(name, labels) or 0.0


def test_the_same_labels_give_the_same_child() -> None:
    family = Families(CollectorRegistry()).counter("posts_total", "Posts.", ["result"])
    assert family.labels("sent") is family.labels("sent")
    assert family.labels("sent") is not family.labels("failed")


def test_a_metric_is_made_once_whoever_asks_first() -> None:
    made = Families(CollectorRegistry())
    assert made.gauge("depth", "Depth.") is made.gauge("depth", "Depth.")


def test_a_wrong_number_of_labels_is_refused() -> None:
    family = Families(CollectorRegistry()).counter("posts_total", "Posts.", ["result"])
    with pytest.raises(ValueError, match="1 label values, not 2"):
        family.labels("sent", "twice")


def test_what_does_not_fit_is_counted_under_overflow_and_reported() -> None:
    registry = CollectorRegistry()
    made = Families(registry, per_metric=4)
    family = made.counter("visits_total", "Visits.", ["page"])
    for number in range(10):
        family.labels(f"/{number}").inc()
    assert 4 == series_of(registry, "visits_total")
    assert 7 == value(registry, "visits_total", page=OVERFLOW)
    assert 7 == value(registry, "abops_instrument_overflow_total", metric="visits_total")
    family.labels("/0").inc()
    assert 2 == value(registry, "visits_total", page="/0")


def test_an_overflowing_histogram_keeps_the_label_that_matters() -> None:
    registry = CollectorRegistry()
    cost = len(REQUEST_BUCKETS) + 3
    made = Families(registry, per_metric=cost * 8)
    family = made.histogram("took_seconds", "Took.", ["route", "code"], keep=["code"])
    for number in range(20):
        family.labels(f"/{number}", "500").observe(0.1)
    assert 17 == value(registry, "took_seconds_count", route=OVERFLOW, code="500")
    assert cost * 8 >= series_of(registry, "took_seconds")


def test_the_whole_process_stays_within_its_budget() -> None:
    registry = CollectorRegistry()
    made = Families(registry, per_process=300, per_metric=1_000)
    for metric in "abcde":
        family = made.histogram(f"{metric}_seconds", "Took.", ["key"])
        for number in range(50):
            family.labels(str(number)).observe(1)
    total = sum(len(m.samples) for m in registry.collect() if m.name != "abops_instrument_overflow")
    assert 300 - RUNTIME_SERIES >= total
    assert 250 == sum(
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name.endswith("_seconds_count")
    )


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("123456"))),
    st.integers(min_value=1, max_value=12),
    st.sampled_from([[], ["code"], ["route"]]),
)
def test_no_observation_is_lost_and_no_limit_passed(
    observed: Sequence[tuple[str, str]], limit: int, keep: list[str]
) -> None:
    registry = CollectorRegistry()
    family = Families(registry, per_metric=limit * 4).histogram(
        "took_seconds", "Took.", ["route", "code"], buckets=(1.0,), keep=keep
    )
    for labels in observed:
        family.labels(*labels).observe(0.5)
    counts = [
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "took_seconds_count"
    ]
    assert len(observed) == sum(counts)
    assert limit >= len(counts)
