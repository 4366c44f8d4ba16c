"""Whether the policy is kept, from what the catalog remembers of every key."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from abops.backup.model import Home, SetFacts
from abops.backup.service.retaining import RetentionService
from abops.backup.store.database import Catalog
from abops.backup.store.entries import put
from abops.backup.store.records import Check, Finding, Verdict
from abops.backup.store.sets import note_expiring, note_sets, sets
from support.backup_values import EU, SITE
from support.clocks import SetClock
from support.sets import a_set, label_of

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def a_home(folder: Path, **kept: list[SetFacts]) -> Home:
    """Return a home whose catalog knows these sets by key generation, all of them verified."""
    home = Home(folder)
    catalog = Catalog(home.catalog)
    with catalog.write() as connection:
        for generation, sets in kept.items():
            home.engine("eu", generation).write_text("")
            note_sets(connection, "eu", generation, sets)
            for one in sets:
                put(
                    connection,
                    Verdict(
                        destination="eu",
                        generation=generation,
                        label=one.label,
                        valid=True,
                        at=NOW.timestamp(),
                        check_id="1",
                    ),
                )
    catalog.close()
    return home


def a_full(days_ago: float, generation: str) -> SetFacts:
    return replace(a_set(label_of(NOW - timedelta(days=days_ago))), generation=generation)


def service(home: Home, generation: str) -> RetentionService:
    place = replace(EU, generation=generation)
    site = replace(SITE, destinations=(place,))
    return RetentionService(home, site, clock=SetClock(NOW))


def test_points_of_an_earlier_key_count_and_its_old_sets_are_not_overdue(tmp_path: Path) -> None:
    old = [a_full(50, "g1"), a_full(38, "g1"), a_full(10, "g1")]
    home = a_home(tmp_path, g1=old, g2=[a_full(3, "g2")])
    found = service(home, "g2").promise(replace(EU, generation="g2"))
    assert (old[1].stopped, 0) == (found.oldest_recoverable, found.violations)


def test_a_set_of_any_key_that_vanished_breaks_the_promise(tmp_path: Path) -> None:
    old = [a_full(38, "g1"), a_full(10, "g1")]
    home = a_home(tmp_path, g1=old, g2=[a_full(3, "g2")])
    catalog = Catalog(home.catalog)
    with catalog.write() as connection:
        note_sets(connection, "eu", "g1", old[:1])
    catalog.close()
    found = service(home, "g2").promise(replace(EU, generation="g2"))
    assert ((old[1].label,), 1) == (found.gone, found.violations)


def test_what_lies_before_a_hole_that_the_last_check_found_is_not_promised(tmp_path: Path) -> None:
    early, late = a_full(38, "g1"), a_full(10, "g1")
    home = a_home(tmp_path, g1=[early, late])
    first, last = early.wal_start[:-2] + "FE", early.wal_start[:-2] + "FF"
    gap = Finding(severity="warning", code="gap", message="", subject=f"{first}..{last}")
    check = Check(
        id="1",
        destination="eu",
        kind="verify",
        started=1.0,
        ended=2.0,
        outcome="success",
        findings=(gap,),
    )
    catalog = Catalog(home.catalog)
    with catalog.write() as connection:
        put(connection, check)
    catalog.close()
    found = service(home, "g1").promise(replace(EU, generation="g1"))
    assert late.stopped == found.oldest_recoverable


def test_a_removal_that_was_cut_off_breaks_no_promise(tmp_path: Path) -> None:
    gone, left = a_full(38, "g1"), a_full(10, "g1")
    home = a_home(tmp_path, g1=[gone, left])
    catalog = Catalog(home.catalog)
    with catalog.write() as connection:
        note_expiring(connection, "eu", "g1", [gone.label, left.label])
    # The next look finds one of the two removed, and nobody there who says that he did it.
    with catalog.write() as connection:
        assert () == note_sets(connection, "eu", "g1", [left])
    with catalog.read() as connection:
        assert (left,) == sets(connection, "eu", "g1")
        assert (gone,) == sets(connection, "eu", "g1", state="expired")
    catalog.close()
    assert 0 == service(home, "g1").promise(replace(EU, generation="g1")).violations
