"""The arithmetic of budgets, and where an objective stands."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.entry.web.observe import slo_chart
from abops.inventory.load import load_inventory
from abops.inventory.model import Objective
from abops.observability.slo.budget import (
    FAST,
    SLOW,
    Standing,
    allowed_minutes,
    time_to_exhaustion,
    time_to_fire,
)
from abops.observability.slo.explain import explain, in_words
from abops.observability.slo.groups import slo_alerts, slo_groups
from abops.observability.slo.standing import standings

ROOT = Path(__file__).parents[3]
INVENTORY = load_inventory(ROOT / "platform.yaml")
SLOS = {one.name: one for one in INVENTORY.slos}
NINES = SLOS["api-availability"]


def fired(objective: Objective, ratio: float) -> tuple[float | None, float | None]:
    """Return the seconds until a page and until a ticket."""
    page, ticket = time_to_fire(FAST, objective, ratio), time_to_fire(SLOW, objective, ratio)
    return page and page.total_seconds(), ticket and ticket.total_seconds()


def test_the_factors_are_those_of_the_workbook() -> None:
    month = timedelta(days=30)
    assert [14.4, 6, 3, 1] == [leg.factor(month) for leg in (*FAST, *SLOW)]


@pytest.mark.parametrize(
    ("ratio", "page", "ticket"),
    [
        (1.0, 51.84, 259.2),
        (0.1, 518.4, 2592),
        (0.0144, 3600 * 2.5, 18000),  # exactly the limit of an hour: six hours decide
        (0.01, 12960, 25920),
        (0.006, None, 43200),
        (0.005, None, 51840),
        (0.001, None, None),
    ],
)
def test_the_time_to_an_alert_follows_from_the_share_of_errors(
    ratio: float, page: float | None, ticket: float | None
) -> None:
    assert (page, ticket) == pytest.approx(fired(NINES, ratio), nan_ok=True)


@given(st.floats(0.0011, 1), st.floats(0.0011, 1))
def test_worse_errors_never_page_later(one: float, other: float) -> None:
    never = float("inf")
    soon, late = (fired(NINES, ratio)[0] or never for ratio in (max(one, other), min(one, other)))
    assert soon <= late


@given(st.floats(0.0065, 1))
def test_a_page_comes_before_a_twentieth_of_the_budget_is_gone(ratio: float) -> None:
    page = time_to_fire(FAST, NINES, ratio)
    assert page is not None
    spent = page / NINES.window * ratio / NINES.budget
    assert spent <= 0.05 + 1e-9


def test_three_nines_pay_for_43_minutes() -> None:
    assert 43.2 == pytest.approx(allowed_minutes(NINES))


@pytest.mark.parametrize(
    ("left", "burn", "days"), [(0.5, 1, 15.0), (0.5, 10, 1.5), (-0.1, 2, 0.0), (0.5, 0, None)]
)
def test_the_budget_ends_at_the_present_pace(left: float, burn: float, days: float | None) -> None:
    ends = time_to_exhaustion(left, burn, NINES)
    assert days == (None if ends is None else ends / timedelta(days=1))


def series(name: str, value: float, **labels: str) -> tuple[dict[str, str], float]:
    return {"__name__": name, "slo": NINES.name, "env": "local", **labels}, value


def test_an_objective_stands_as_its_series_say() -> None:
    [standing] = standings(
        [NINES],
        [
            series("slo:sli_error:ratio_period", 0.0004),
            series("slo:period_error_budget_remaining:ratio", 0.6),
            series("slo:sli_error:ratio_rate1h", 0.02),
            series("slo:sli_error:ratio_rate6h", 0.007),
            series("slo:total:rate5m", 3),
            series("ALERTS", 1, alertname="SLOErrorBudgetBurnFast", alertstate="firing"),
        ],
    )
    assert ("burning", 0.9996, 20, 7) == (
        standing.state,
        standing.attained,
        pytest.approx(standing.burn_1h),
        pytest.approx(standing.burn_6h),
    )
    assert standing.has_data


def test_an_objective_that_nothing_knows_has_no_data() -> None:
    [standing] = standings([NINES], [])
    assert ("no data", None, False) == (standing.state, standing.attained, standing.has_data)


def test_what_somebody_is_paged_for_stands_first() -> None:
    answer = [
        series("slo:period_error_budget_remaining:ratio", 0.9, env="fine"),
        series("slo:period_error_budget_remaining:ratio", 0.1, env="low"),
        series("slo:deploy_freeze:bool", 1, env="frozen"),
        series("ALERTS", 1, env="slow", alertname="SLOErrorBudgetBurnSlow"),
        series("ALERTS", 1, env="paged", alertname="SLOErrorBudgetBurnFast"),
        series("slo_info", 1, env="new"),
    ]
    found = standings([NINES], answer)
    assert ["paged", "frozen", "slow", "new", "low", "fine"] == [one.env for one in found]
    states = ["burning", "exhausted", "burning", "no data", "ok", "ok"]
    assert states == [one.state for one in found]


def test_missing_data_freezes_nothing() -> None:
    assert not Standing("a", "b", "c", 0.99).is_frozen


@pytest.mark.parametrize("objective", INVENTORY.slos, ids=lambda o: o.name)
def test_every_objective_can_be_explained(objective: Objective) -> None:
    about = explain(objective, INVENTORY)
    assert about.table[-1].page is None
    assert about.table[0].page is not None
    assert about.counted
    assert about.hurts.endswith(".")


def test_every_objective_has_its_four_alerts() -> None:
    names = {(a.name, a.instance) for a in slo_alerts(INVENTORY)}
    assert 4 * len(SLOS) == len(names)


def test_each_objective_has_a_group_of_its_own() -> None:
    groups = slo_groups(INVENTORY)
    assert 2 * len(SLOS) == len({group.name for group in groups})
    assert {30, 240} == {group.every.total_seconds() for group in groups}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(51.84, "51.8 s"), (518.4, "8m 38s"), (51_840, "14h 24m"), (259_200, "3 days")],
)
def test_times_are_written_for_people(seconds: float, words: str) -> None:
    assert words == in_words(timedelta(seconds=seconds))


def test_a_gap_is_drawn_as_a_gap() -> None:
    start = datetime(2026, 11, 24, 3, tzinfo=UTC)
    drawn = slo_chart.chart(
        "t",
        [("a", (1.0, 1.0, None, 1.0, None))],
        (start, start + timedelta(hours=4)),
        slo_chart.linear([1.0], most=1, text=str),
    )
    [line] = drawn.lines
    assert (2, 1) == (line.path.count("M"), line.path.count("L"))
    assert ["03:00", "04:00", "05:00", "06:00", "07:00"] == [tick.text for tick in drawn.across]


def test_a_chart_without_values_says_that_it_is_empty() -> None:
    start = datetime(2026, 11, 24, 3, tzinfo=UTC)
    span = (start, start + timedelta(hours=4))
    drawn = slo_chart.chart("t", [("a", (None, None))], span, slo_chart.by_size([], most=14.4))
    assert drawn.is_empty
    assert ["0", "1", "3", "10"] == [tick.text for tick in drawn.up]
