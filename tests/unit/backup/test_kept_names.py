from datetime import UTC, datetime

import pytest

from abops.backup.postgres.facts import facts_of
from abops.clients.pgbackrest_answers import Backup, Info, Span
from support.backup_values import EU

DAY = datetime(2027, 1, 31, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("annotation", "asked", "expected"),
    [
        ({}, DAY, ""),
        ({"abops-keep": "before 2.0"}, DAY, "before 2.0"),
        (
            {"abops-keep": "audit", "abops-keep-until": "2027-01-31"},
            DAY - 1,
            "audit until 2027-01-31",
        ),
        ({"abops-keep": "audit", "abops-keep-until": "2027-01-31"}, DAY, ""),
        ({"abops-keep": "audit", "abops-keep-until": "some day"}, DAY, "audit until some day"),
        ({"abops-keep-until": "2027-01-31"}, 0.0, ""),
    ],
)
def test_a_set_is_kept_under_its_name_until_the_day_that_was_said(
    annotation: dict[str, str], asked: float, expected: str
) -> None:
    times = Span(0, 0)
    told = Backup(label="20261101-010000F", type="full", timestamp=times, annotation=annotation)
    (one,) = facts_of(Info("main", backup=(told,), asked=asked), EU)
    assert expected == one.keep
