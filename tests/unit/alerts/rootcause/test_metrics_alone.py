"""Which metric stands out, and since when, with values worked out by hand."""

import random

import pytest

from abops.alerts.rootcause.change_point import from_onset, onset, step
from abops.alerts.rootcause.model import Series
from abops.alerts.rootcause.robust import quantile, robust_z, standing_out


def series(entity: str, normal: list[float], during: list[float], metric: str = "cpu") -> Series:
    return Series(entity, metric, tuple(normal), tuple(during))


def noise(seed: int, n: int, level: float = 0.0) -> list[float]:
    draw = random.Random(seed)  # noqa: S311 - a test's data
    return [level + draw.gauss(0, 1) for _ in range(n)]


def test_quantiles_lie_between_values_by_their_distance() -> None:
    assert [1.0, 1.75, 2.5, 4.0] == [quantile([1, 2, 3, 4], q) for q in (0, 0.25, 0.5, 1)]


def test_robust_z_is_the_worst_distance_from_the_median_in_widths_of_the_middle_half() -> None:
    # median 3, quartiles 2 and 4
    assert 3.5 == robust_z(series("db", [1, 2, 3, 4, 5], [4, 10, 2]))


def test_where_less_is_worse_the_lowest_value_counts() -> None:
    fewer = Series("db", "rows", (1, 2, 3, 4, 5), (4, -4), "down")
    assert 3.5 == robust_z(fewer)


def test_a_constant_metric_is_measured_in_its_own_unit() -> None:
    assert 4.0 == robust_z(series("db", [1, 1, 1], [5]))


def test_gaps_do_not_count_and_no_values_say_nothing() -> None:
    assert 3.5 == robust_z(Series("db", "cpu", (1, 2, None, 3, 4, 5), (None, 10)))
    assert 0.0 == robust_z(Series("db", "cpu", (None,), (1,)))
    assert 0.0 == robust_z(Series("db", "cpu", (1,), ()))


def test_a_part_is_ranked_by_its_metric_that_stands_out_most() -> None:
    ranking = standing_out(
        [
            series("db", [1, 2, 3, 4, 5], [13], "cpu"),
            series("db", [1, 2, 3, 4, 5], [23], "memory"),
            series("api", [1, 2, 3, 4, 5], [11], "cpu"),
            series("bot", [1, 2, 3, 4, 5], [8], "cpu"),
        ]
    )
    assert {"db": 10.0, "api": 4.0} == ranking.scores
    assert ("its memory went 10 times its usual spread beyond normal",) == ranking.terms["db"]


def test_a_step_is_found_where_it_is() -> None:
    # ranks 1.5 x2 and 3.5 x2: the sum of 2 rank - 5 is -4 after two of four values
    assert (6 * 16 / (64 + 16), 2) == step([1, 1, 9, 9])


def test_a_spike_is_no_step() -> None:
    spike = noise(1, 100)
    spike[70] = 1000.0
    strength, _ = step(spike)
    assert strength < 6.9


@pytest.mark.parametrize("late", [0, 30, 60, 120])
def test_the_real_beginning_is_found_though_most_metrics_do_not_change(late: int) -> None:
    quiet = [series(f"quiet-{n}", noise(n, 200 + late), noise(n + 50, 150)) for n in range(30)]
    loud = [
        series(f"loud-{n}", noise(n + 100, 200) + noise(n, late, 6), noise(n + 200, 150, 6))
        for n in range(2)
    ]
    assert 200 == onset([*quiet, *loud])


def test_when_nothing_steps_there_is_no_beginning() -> None:
    assert onset([series("db", noise(1, 200), noise(2, 100))]) is None


def test_series_of_different_length_have_no_common_beginning() -> None:
    stepping = series("db", noise(1, 100), noise(2, 100, 9))
    assert onset([stepping, series("api", noise(3, 90), noise(4, 110, 9))]) is None


def test_what_belongs_to_the_incident_is_moved_out_of_normal() -> None:
    late = series("db", noise(1, 100) + noise(2, 60, 9), noise(3, 100, 9))
    (moved,) = from_onset([late])
    assert (100, 160) == (len(moved.normal), len(moved.during))
    assert (*late.normal, *late.during) == (*moved.normal, *moved.during)


def test_a_beginning_after_the_alarm_moves_nothing() -> None:
    given = (series("db", noise(1, 100), noise(2, 50) + noise(3, 100, 9)),)
    assert given == from_onset(given)


def test_too_few_normal_values_are_not_made_fewer() -> None:
    given = (series("db", noise(1, 29) + noise(2, 100, 9), noise(3, 100, 9)),)
    assert given == from_onset(given)


def test_gaps_are_bridged_by_the_value_before() -> None:
    gaps = Series("db", "cpu", (None, *noise(1, 100), None), tuple(noise(2, 100, 9)))
    assert 102 == onset([gaps])
