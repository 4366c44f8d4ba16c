"""The timing gate's made-up day and its judgement."""

import pytest

from abops.observability.catalogue.recording import Recording
from abops.observability.timing.history import (
    Seed,
    copies,
    expanded,
    levels,
    needed,
    openmetrics,
)
from abops.observability.timing.verdict import BoardLoad, PanelLoad, complaints

COUNTER = Seed({"__name__": "hits_total", "job": 'a"b'}, 100.0, 2.0)
GAUGE = Seed({"__name__": "depth", "instance": "a"}, 10.0, 0.0)
FLAG = Seed({"__name__": "up", "instance": "a"}, 1.0, 0.0)


def values(seed: Seed, end: int = 86_400, step: int = 3600) -> list[float]:
    lines = list(openmetrics([seed], 0, end, step))
    return [float(line.rsplit(" ", 2)[1]) for line in lines[:-1]]


def test_a_counter_never_falls_and_keeps_its_pace() -> None:
    found = values(COUNTER)

    assert found == sorted(found)
    assert pytest.approx(2.0 * 86_400, rel=0.01) == found[-1] - found[0]


def test_a_gauge_stays_near_its_value() -> None:
    found = values(GAUGE)

    assert (pytest.approx(9, abs=0.2), pytest.approx(11, abs=0.2)) == (min(found), max(found))


def test_a_flag_stays_what_it_is() -> None:
    assert {1.0} == set(values(FLAG))


def test_the_document_is_openmetrics() -> None:
    lines = list(openmetrics([COUNTER], 60, 120, 60))

    assert ['hits_total{job="a\\"b"}', "60\n"] == [lines[0].split(" ")[0], lines[0].split(" ")[2]]
    assert "# EOF\n" == lines[-1]


def test_copies_are_made_until_there_are_enough() -> None:
    found = copies([GAUGE, FLAG], 5)

    assert 5 == len(found)
    assert 5 == len({(seed.name, seed.labels["instance"]) for seed in found})


def test_the_api_grows_by_pods_and_nothing_else_does() -> None:
    api = Seed({"__name__": "hits_total", "job": "analyticbot-api", "instance": "a"}, 1.0, 1.0)

    found = copies([GAUGE, api, FLAG], 6)

    assert 4 == len({seed.labels["instance"] for seed in found if seed.name == "hits_total"})
    assert 6 == len(found)


def test_what_an_expression_needs_is_followed_through_recorded_series() -> None:
    found = needed(["max(a:b:c)"], {"a:b:c": "sum(rate(hits_total[5m]))"})

    assert {"a:b:c", "hits_total"} <= found


def test_recordings_come_after_what_they_read() -> None:
    first, second = Recording("a:x", "sum(hits)"), Recording("a:y", "max(a:x)")

    assert ((first,), (second,)) == levels([second, first])


def test_an_expanded_expression_reads_raw_series_only() -> None:
    found = expanded('max(a:y{env="x"}) + a:yy', {"a:x": "sum(hits)", "a:y": "2 * a:x"})

    assert "max((2 * (sum(hits)))) + a:yy" == found


def test_a_range_of_a_recorded_series_becomes_a_subquery() -> None:
    found = expanded('sum_over_time(a:x{env="x"}[30d]) / a:x', {"a:x": "sum(hits)"})

    assert "sum_over_time((sum(hits))[30d:]) / (sum(hits))" == found


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        ((1.9, 0.5, 3, False, ""), ()),
        ((2.0, 0.5, 3, False, ""), ("2.00 s, the limit is 2 s",)),
        ((1.0, 0.6, 3, False, ""), ("0.60 CPU-s, the limit is 0.6",)),
        ((1.0, 0.1, 0, False, ""), ("panel: no data",)),
        ((1.0, 0.1, 0, True, ""), ()),
        ((1.0, 0.1, 0, False, "parse error"), ("panel: parse error",)),
    ],
)
def test_a_load_is_judged(
    load: tuple[float, float, int, bool, str], expected: tuple[str, ...]
) -> None:
    wall, cpu, series, may_be_empty, error = load
    panel = PanelLoad("panel", wall, series, may_be_empty=may_be_empty, error=error)

    assert expected == complaints(BoardLoad("ab-x", wall, cpu, (panel,)))


def test_a_board_without_any_series_has_proved_nothing() -> None:
    empty, full = (PanelLoad("A", 0.1, count, may_be_empty=True) for count in (0, 3))

    assert not BoardLoad("ab-x", 0.1, 0.1, (empty,)).has_series
    assert BoardLoad("ab-x", 0.1, 0.1, (empty, full)).has_series


def test_how_many_times_less_a_board_costs_is_told_where_both_are_known() -> None:
    assert 8 == BoardLoad("ab-x", 0.1, 0.25, (), raw_wall_s=3, raw_cpu_s=2.0).times_less
    assert BoardLoad("ab-x", 0.1, 0.25, ()).times_less is None
