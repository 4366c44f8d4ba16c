"""How late a replica is."""

from datetime import UTC, datetime, timedelta

from abops.observability.wal_position import HORIZON, WalHistory

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_history(*positions: float) -> WalHistory:
    """Return notes taken every 15 s."""
    history = WalHistory()
    for number, position in enumerate(positions):
        history.note(after(15 * number), position)
    return history


def test_a_replica_that_is_level_is_not_late() -> None:
    assert 0.0 == a_history(100, 200, 300).behind(after(30), 300)


def test_a_replica_is_as_late_as_the_first_note_beyond_it() -> None:
    assert 15.0 == a_history(100, 200, 300).behind(after(30), 150)


def test_a_replica_that_stands_still_gets_later_all_the_time() -> None:
    history = a_history(100, 200)

    late = []
    for number in range(2, 5):
        history.note(after(15 * number), 200 + number)
        late.append(history.behind(after(15 * number), 150))

    assert [15.0, 30.0, 45.0] == late


def test_an_idle_primary_makes_nobody_late() -> None:
    assert 0.0 == a_history(100, 100, 100).behind(after(30), 100)


def test_a_replica_that_was_behind_before_the_first_note_is_at_least_as_late_as_that() -> None:
    assert 30.0 == a_history(100, 200, 300).behind(after(30), 50)


def test_another_server_begins_a_new_history() -> None:
    history = a_history(500, 600, 10)

    assert 0.0 == history.behind(after(30), 10)
    assert 0.0 == history.behind(after(30), 5)


def test_old_notes_are_dropped() -> None:
    history = a_history(100)
    history.note(NOON + HORIZON + timedelta(seconds=1), 200)

    assert 0.0 == history.behind(NOON + HORIZON + timedelta(seconds=1), 50)
