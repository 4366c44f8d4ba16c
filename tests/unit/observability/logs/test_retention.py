"""Which indices are rolled over and deleted."""

from datetime import UTC, datetime, timedelta

from abops.observability.logs.retention import GIB, Backing, Plan, plan

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def an_index(
    number: int = 1, *, days: float = 0, size_bytes: int = 1, lines: int = 1, writes: bool = False
) -> Backing:
    stream = "logs-analyticbot.api-local"
    created = NOON - timedelta(days=days)
    return Backing(f".ds-{stream}-{number:06d}", stream, created, size_bytes, lines, writes)


def test_a_young_and_small_index_is_left_alone() -> None:
    assert Plan((), ()) == plan([an_index(days=0.9, writes=True)], NOON)


def test_an_index_of_a_day_is_rolled_over() -> None:
    assert ("logs-analyticbot.api-local",) == plan([an_index(days=1, writes=True)], NOON).roll


def test_a_large_index_is_rolled_over_early() -> None:
    large = an_index(days=0.1, size_bytes=20 * GIB, writes=True)
    assert ("logs-analyticbot.api-local",) == plan([large], NOON).roll


def test_a_store_without_indices_needs_nothing() -> None:
    assert Plan((), ()) == plan([], NOON)


def test_an_empty_index_is_not_rolled_over() -> None:
    assert () == plan([an_index(days=9, lines=0, writes=True)], NOON).roll


def test_an_index_goes_when_its_youngest_line_is_too_old() -> None:
    indices = [an_index(1, days=32), an_index(2, days=30), an_index(3, days=1, writes=True)]
    # The first took lines until the second was made, 30 days ago; the second until yesterday.
    assert (".ds-logs-analyticbot.api-local-000001",) == plan(indices, NOON).delete


def test_the_index_that_is_written_to_never_goes() -> None:
    assert () == plan([an_index(days=400, writes=True)], NOON).delete


def test_the_order_of_the_indices_does_not_matter() -> None:
    indices = [an_index(1, days=40), an_index(2, days=31), an_index(3, days=1, writes=True)]
    assert plan(indices, NOON) == plan(indices[::-1], NOON)
