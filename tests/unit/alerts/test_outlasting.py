"""What outlasts its fault, a spent budget, does not take the next fault into its incident."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from abops.alerts.correlate.placing import outlasts
from abops.alerts.model import IncidentSummary
from abops.alerts.store import reading
from support.book import Book, a_store, an_event

FAULT = {"name": "ApiErrorStorm", "severity": "critical"}
BUDGET = {"name": "SLOErrorBudgetExhausted", "severity": "info"}
GAP_S = 300.0


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with a_store(tmp_path) as engine:
        yield Book(engine, tmp_path)


def fires(book: Book, at_s: float, **alert: str) -> None:
    book.take(an_event(**alert, start_s=at_s), at_s=at_s)


def ends(book: Book, at_s: float, began_s: float, **alert: str) -> None:
    book.take(an_event(**alert, status="resolved", start_s=began_s, end_s=at_s), at_s=at_s)


def incidents(book: Book) -> dict[int, IncidentSummary]:
    with book.engine.connect() as connection:
        return {i.number: i for i in reading.incidents(connection, state=None, limit=100)}


def members(book: Book, number: int) -> list[str]:
    with book.engine.connect() as connection:
        detail = reading.incident(connection, number, members=100)
        assert detail is not None
        return sorted(member.alert.labels["alertname"] for member in detail.members)


def a_fault_that_spent_the_budget(book: Book) -> None:
    fires(book, 0, **FAULT)
    fires(book, 60, **BUDGET)
    ends(book, 120, 0, **FAULT)


def test_the_same_fault_an_hour_later_is_an_incident_of_its_own(book: Book) -> None:
    a_fault_that_spent_the_budget(book)
    fires(book, 3_600, **FAULT)
    assert {1: 1, 2: 1} == {n: i.firing for n, i in incidents(book).items()}
    ends(book, 3_700, 3_600, **FAULT)
    assert {1: 1, 2: 0} == {n: i.firing for n, i in incidents(book).items()}


def test_back_within_the_gap_it_is_the_same_fault(book: Book) -> None:
    a_fault_that_spent_the_budget(book)
    fires(book, 120 + GAP_S, **FAULT)
    assert {1: 2} == {n: i.firing for n, i in incidents(book).items()}


def test_as_long_as_something_else_of_it_fires_the_fault_goes_on(book: Book) -> None:
    fires(book, 0, **FAULT)
    fires(book, 1, name="ProbeFailed")
    ends(book, 120, 0, **FAULT)
    fires(book, 3_600, **FAULT)
    assert {1: 2} == {n: i.firing for n, i in incidents(book).items()}


def test_what_else_ended_lately_counts_too(book: Book) -> None:
    a_fault_that_spent_the_budget(book)
    fires(book, 121, name="ProbeFailed")
    ends(book, 3_500, 121, name="ProbeFailed")
    fires(book, 3_600, **FAULT)
    assert {1} == set(incidents(book))


@pytest.mark.parametrize("restart", [False, True])
def test_a_budget_that_was_spent_later_does_not_draw_in_what_comes_next(
    book: Book, *, restart: bool
) -> None:
    fires(book, 0, **FAULT)
    ends(book, 120, 0, **FAULT)
    fires(book, 290, **BUDGET)
    if restart:
        book.restart(at_s=291)
    fires(book, 500, name="QueueStalled", severity="critical")
    assert ["QueueStalled"] == members(book, 2)


def test_an_incident_that_begins_with_a_budget_takes_in_what_follows(book: Book) -> None:
    fires(book, 0, **BUDGET)
    book.restart(at_s=1)
    fires(book, 30, **FAULT)
    assert {1} == set(incidents(book))


def test_a_budget_comes_back_where_it_was(book: Book) -> None:
    a_fault_that_spent_the_budget(book)
    fires(book, 61, name="SLOErrorBudgetBurnSlow")
    ends(book, 1_000, 60, **BUDGET)
    fires(book, 2_000, **BUDGET)
    assert {1} == set(incidents(book))


def test_a_budget_that_is_spent_fast_ends_with_its_fault() -> None:
    assert outlasts("SLOErrorBudgetBurnSlow: spent", "warning")
    assert outlasts("ErrorBudgetBurn", "ticket")
    assert outlasts("HighBurnRate: slow", "info")
    assert not outlasts("SLOErrorBudgetBurnFast: spent", "critical")
    assert not outlasts("DiskFull: the budget of errors", "warning")
