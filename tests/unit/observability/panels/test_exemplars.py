"""Which buckets a panel reads, and which of their events are marked."""

import pytest

from abops.clients.prometheus_queries import Exemplar, Exemplars
from abops.observability.panels.exemplars import SLOTS, buckets_of, dots_of, has_dots
from abops.observability.panels.model import Dot, Panel
from abops.observability.panels.window import Window

TRACES = [f"{number:032x}" for number in range(3)]
WINDOW = Window(0, 400, 10)


def exemplars(*found: tuple[float, str, str], **labels: str) -> Exemplars:
    return Exemplars(labels, [Exemplar({"trace_id": t}, value, at) for at, value, t in found])


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ('rate(a_seconds_bucket{env="x"}[5m])', ['a_seconds_bucket{env="x"}']),
        ('max(service:a_seconds:p95{env=~"x|y"})', ['a_seconds_bucket{env=~"x|y"}']),
        ('sum by (le) (service_le:a_bucket:rate5m{le="0.5",env!="x"})', ['a_bucket{env!="x"}']),
        ('s:a:p50{e="1"} or s:a:p99{e="1"} or s:b:p99', ['a_bucket{e="1"}', "b_bucket{}"]),
        ('{__name__="a_bucket",service="api"}', ['a_bucket{service="api"}']),
        ('rate(a_bucket{path="a\\"b"}[1m])', ['a_bucket{path="a\\"b"}']),
        ("service:errors:ratio_rate5m", []),
        ("a_seconds_count", []),
        ("p95", []),
        ("sum((", []),
    ],
)
def test_the_way_back_from_a_query_to_its_buckets(expr: str, expected: list[str]) -> None:
    assert expected == buckets_of(expr)


@pytest.mark.parametrize(
    ("kind", "unit", "expected"),
    [
        ("timeseries", "s", True),
        ("heatmap", "s", True),
        ("timeseries", "percentunit", False),
        ("stat", "s", False),
    ],
)
def test_events_need_time_to_the_right_and_seconds_upwards(
    kind: str, unit: str, *, expected: bool
) -> None:
    assert expected is has_dots(Panel(id=1, type=kind, title="-", unit=unit))


def test_each_stretch_of_time_has_its_slowest_event() -> None:
    slow, fast, later = TRACES
    found = [
        exemplars((2.0, "0.4", slow), (395.0, "0.1", later), http_route="/posts"),
        exemplars((3.0, "0.02", fast), task="send"),
    ]
    expected = [Dot(2.0, 0.4, slow, "/posts"), Dot(395.0, 0.1, later, "/posts")]
    assert expected == dots_of(found, WINDOW)


def test_a_chart_never_has_more_marks_than_stretches() -> None:
    found = exemplars(*((at / 10, "1", TRACES[0]) for at in range(4000)))
    assert SLOTS == len(dots_of([found], WINDOW))


@pytest.mark.parametrize(
    "trace", ["", "../../incidents", "0AF7651916CD43DD8448EB211C80319C", "0" * 33, "javascript:"]
)
def test_what_is_no_trace_id_never_becomes_an_address(trace: str) -> None:
    assert [] == dots_of([exemplars((1.0, "1", trace))], WINDOW)


def test_a_duration_that_is_no_number_is_no_mark() -> None:
    assert [] == dots_of([exemplars((1.0, "NaN", TRACES[0]))], WINDOW)
