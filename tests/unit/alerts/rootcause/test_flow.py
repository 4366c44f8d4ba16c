"""The excess-flow walk, with values worked out by hand."""

import pytest

from abops.alerts.rootcause.flow import Excess, excess, excesses, walk
from abops.alerts.rootcause.graph import Graph
from abops.alerts.rootcause.model import Edge, Series


def latency(entity: str, normal: list[float], during: list[float | None]) -> Series:
    return Series(entity, "latency", tuple(normal), tuple(during))


def requests(entity: str, during: list[float | None]) -> Series:
    return Series(entity, "requests", (), tuple(during))


def graph(*calls: str) -> Graph:
    return Graph.of(Edge(*call.split(">")) for call in calls)


def beyond(**amounts: float) -> dict[str, Excess]:
    return {entity: Excess(amount, out_of_range=amount > 0) for entity, amount in amounts.items()}


def test_excess_is_the_mean_distance_from_the_median_times_the_requests() -> None:
    slow = latency("db", [1, 2, 3], [5, None, 4])
    # (5 - 2) x 10 and (4 - 2) x 20 over two bins; the gap counts nowhere
    assert 35 == excess(slow, requests("db", [10, 99, 20])).amount


def test_missing_requests_of_a_bin_count_as_none() -> None:
    assert 15 == excess(latency("db", [1, 2, 3], [5, 4]), requests("db", [10, None])).amount


def test_without_requests_every_bin_counts_as_one() -> None:
    assert 2.5 == excess(latency("db", [1, 2, 3], [5, 4]), None).amount


def test_availability_counts_failed_requests() -> None:
    failing = Series("db", "availability", (100, 100, 99), (80, 90), "down")
    # (20 % of 50 + 10 % of 50) / 2
    assert 7.5 == excess(failing, requests("db", [50, 50])).amount


def test_what_would_not_stand_out_on_a_normal_day_is_no_excess() -> None:
    normal = [float(n) for n in range(100)]
    assert excess(latency("db", normal, [94.5] * 3), None).out_of_range
    assert Excess(0.0, out_of_range=False) == excess(latency("db", normal, [94.0] * 3), None)


def test_a_metric_without_normal_values_says_nothing() -> None:
    assert Excess(0.0, out_of_range=False) == excess(latency("db", [], [9.0]), None)


def test_a_mean_below_normal_with_one_spike_is_out_of_range_without_excess() -> None:
    assert Excess(0.0, out_of_range=True) == excess(latency("db", [1, 2, 3], [4, -9]), None)


def test_only_the_asked_metric_is_looked_at() -> None:
    found = excesses([latency("a", [1], [2]), Series("b", "availability", (1,), (0,))], "latency")
    assert ["a"] == list(found)


def test_what_a_part_has_beyond_its_callees_stops_there_and_the_rest_goes_on() -> None:
    ranking = walk(graph("web>api", "api>db"), beyond(web=10, api=10, db=6), symptom="web")
    # web hands all on; at api 4 of 10 stop; at db all that is left. .02 of each visit stays.
    assert {
        "web": pytest.approx(0.02),
        "api": pytest.approx(0.4 + 0.02),
        "db": pytest.approx(0.6 + 0.02 * 0.6),
    } == ranking.scores


def test_at_the_symptom_three_tenths_of_its_own_excess_stop() -> None:
    ranking = walk(graph("web>db"), beyond(web=20, db=10), symptom="web")
    # own 10 x .3 = 3, below 10: 3/13 stop
    assert pytest.approx(3 / 13 + 0.02) == ranking.scores["web"]
    assert pytest.approx(10 / 13 + 0.02 * 10 / 13) == ranking.scores["db"]


def test_callees_share_in_proportion_to_their_excess() -> None:
    ranking = walk(graph("web>a", "web>b"), beyond(web=4, a=3, b=1), symptom="web")
    assert pytest.approx(3.0) == ranking.scores["a"] / ranking.scores["b"]


def test_a_part_reached_on_two_ways_collects_both() -> None:
    ranking = walk(
        graph("web>a", "web>b", "a>db", "b>db"), beyond(web=4, a=2, b=2, db=4), symptom="web"
    )
    assert pytest.approx(1.02) == ranking.scores["db"]


def test_a_circle_of_calls_is_walked_once() -> None:
    ranking = walk(graph("web>a", "a>b", "b>a"), beyond(web=5, a=5, b=5), symptom="web")
    assert "b" == max(ranking.scores, key=ranking.scores.__getitem__)
    assert sum(ranking.scores.values()) <= 1 + 3 * 0.02


def test_a_part_in_trouble_that_no_known_call_leads_to_is_not_forgotten() -> None:
    ranking = walk(graph("web>api", "job>db"), beyond(web=4, api=4, db=9), symptom="web")
    assert pytest.approx(0.1 * 1.02) == ranking.scores["db"]
    assert "api" == max(ranking.scores, key=ranking.scores.__getitem__)


def test_without_a_symptom_the_walk_starts_where_no_troubled_caller_is() -> None:
    ranking = walk(graph("web>api", "api>db"), beyond(web=0, api=6, db=6))
    assert {"db", "api"} == set(ranking.scores)
    assert "db" == max(ranking.scores, key=ranking.scores.__getitem__)


def test_the_share_of_the_symptom_is_said() -> None:
    ranking = walk(graph("web>api", "api>db"), beyond(web=10, api=10, db=6), symptom="web")
    assert ("its latency excess explains 60 % of the symptom",) == ranking.terms["db"]
    assert ("its latency is out of its normal range, explained by what it calls",) == ranking.terms[
        "web"
    ]


def test_a_symptom_within_its_normal_range_is_called_by_a_part_in_trouble() -> None:
    ranking = walk(graph("job>web"), beyond(job=3, web=0), symptom="web")
    assert {"job": pytest.approx(0.1 * 1.02)} == ranking.scores
