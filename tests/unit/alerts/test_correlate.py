from datetime import UTC, datetime, timedelta

import pytest

from abops.alerts.correlate import Candidate, assign

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=10)


def test_the_first_alert_of_a_service_opens_an_incident() -> None:
    assert assign(own=None, of_service=None, window=WINDOW, now=NOON).number is None


@pytest.mark.parametrize(
    ("minutes", "expected"), [(0, 7), (10, 7), (10.01, None), (-1, 7)], ids=str
)
def test_within_the_window_it_joins(minutes: float, expected: int | None) -> None:
    latest = Candidate(7, NOON - timedelta(minutes=minutes))
    assert expected == assign(own=None, of_service=latest, window=WINDOW, now=NOON).number


def test_an_alert_that_comes_back_joins_its_own_incident_however_late() -> None:
    own, other = Candidate(3, NOON - timedelta(hours=5)), Candidate(7, NOON)
    assert 3 == assign(own=own, of_service=other, window=WINDOW, now=NOON).number
