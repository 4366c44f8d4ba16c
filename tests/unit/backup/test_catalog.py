import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st

from abops.backup.model import SetFacts
from abops.backup.store import database, lead, records, schema
from abops.backup.store.database import Catalog, CatalogError
from abops.backup.store.entries import TABLES, drop, get, put
from abops.backup.store.sets import note_sets, sets
from support.sets import a_chain, a_set

FINDING = records.Finding(severity="critical", code="gap", message="7 segments are missing")
SAMPLES = (
    records.Run(id="eu-full-1", destination="eu", kind="full", planned=1.0, reason="none yet"),
    records.Check(
        id="c1",
        destination="eu",
        kind="verify",
        started=1.0,
        ended=2.0,
        outcome="failed",
        gap_segments=7,
        findings=(FINDING,),
    ),
    records.Verdict(
        destination="eu", generation="g1", label="L", valid=False, at=2.0, check_id="c1"
    ),
    records.Drill(
        id="d1",
        destination="eu",
        generation="g1",
        label="L",
        kind="latest",
        started=1.0,
        ended=9.5,
        outcome="success",
        rto_s=8.5,
        phases={"fetch": 5.0},
    ),
    records.MirrorRun(
        id="m1", destination="vault", source="eu", started=1.0, ended=2.0, outcome="success"
    ),
    records.Bundle(destination="eu", name="config/1.tar.age", made=1.0, size=5, sha256="ab"),
    records.Key(destination="eu", generation="g1", made=1.0),
    records.Hold(destination="eu", generation="g1", label="L", why="audit", since=1.0),
    records.Listing(
        destination="eu", generation="g1", label="L", at=1.0, objects={"a/b": (3, "e")}
    ),
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite")


def test_the_migrations_lead_to_the_schema(catalog: Catalog) -> None:
    with catalog.read() as connection:
        found = compare_metadata(MigrationContext.configure(connection), schema.metadata)
    assert [] == found
    folder = Path(database.__file__).parent / "migrations"
    assert database.HEAD == ScriptDirectory(str(folder)).get_current_head()


@pytest.mark.parametrize("record", SAMPLES, ids=lambda one: type(one).__name__)
def test_what_is_written_is_read_again_and_twice_is_once(
    catalog: Catalog, record: records.Run
) -> None:
    for _ in range(2):
        with catalog.write() as connection:
            put(connection, record)
    with catalog.read() as connection:
        assert (record,) == get(connection, type(record))


def test_every_record_has_a_sample() -> None:
    assert set(TABLES) == {type(one) for one in SAMPLES}


def test_a_later_record_replaces_the_one_of_the_same_key(catalog: Catalog) -> None:
    run = SAMPLES[0]
    done = records.Run(id="eu-full-1", destination="eu", kind="full", planned=1.0, state="success")
    with catalog.write() as connection:
        put(connection, run)
        put(connection, done)
        assert (done,) == get(connection, records.Run)
        assert 1 == drop(connection, records.Run, schema.run.c.id == done.id)
        assert () == get(connection, records.Run)


def test_the_newest_come_first_when_asked_so(catalog: Catalog) -> None:
    runs = [
        records.Run(id=f"r{n}", destination="eu", kind="incr", planned=float(n)) for n in (2, 3, 1)
    ]
    with catalog.write() as connection:
        put(connection, *runs)
        found = get(connection, records.Run, newest="planned", limit=2)
    assert ["r3", "r2"] == [one.id for one in found]


def test_an_error_undoes_the_whole_transaction(catalog: Catalog) -> None:
    def fail() -> None:
        with catalog.write() as connection:
            put(connection, SAMPLES[0])
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError):
        fail()
    with catalog.read() as connection:
        assert () == get(connection, records.Run)


def test_two_that_find_no_catalog_make_one(tmp_path: Path) -> None:
    path, errors = tmp_path / "catalog.sqlite", []

    def use(number: int) -> None:
        mine = Catalog(path)
        try:
            with mine.write() as connection:
                run = records.Run(id=str(number), destination="eu", kind="incr", planned=0.0)
                put(connection, run)
        except CatalogError as error:
            errors.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=use, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == errors
    with Catalog(path).read() as connection:
        assert 4 == len(get(connection, records.Run))


def test_a_file_that_is_no_database_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(CatalogError) as caught, Catalog(path).read():
        pass
    assert "not a database" in str(caught.value)
    assert "rebuild" in caught.value.hint


def test_a_commit_is_on_disk_before_it_is_answered(catalog: Catalog) -> None:
    with catalog.read() as connection:
        modes = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    assert ["wal", 2, 10_000] == modes


def test_a_system_identifier_uses_all_of_its_64_bits(catalog: Catalog) -> None:
    told = a_set("20261101-010000F", system_id=2**64 - 1)
    with catalog.write() as connection:
        note_sets(connection, "eu", "g1", [told])
        assert (told,) == sets(connection)


def test_sets_that_are_told_no_more_are_expired_or_lost(catalog: Catalog) -> None:
    one, two, three = (a_set(f"2026110{n}-010000F") for n in (1, 2, 3))
    with catalog.write() as connection:
        note_sets(connection, "eu", "g1", [one, two, three])
        lost = note_sets(connection, "eu", "g1", [three], expired={one.label})
        assert (two.label,) == lost
        assert (three,) == sets(connection, "eu")
        assert (one,) == sets(connection, "eu", state="expired")
        assert (two,) == sets(connection, "eu", state="lost")


def test_one_destination_says_nothing_about_another(catalog: Catalog) -> None:
    here, there = a_set("20261101-010000F"), a_set("20261101-010000F", destination="us")
    older = a_set("20261001-010000F", generation="g0")
    with catalog.write() as connection:
        note_sets(connection, "eu", "g0", [older])
        note_sets(connection, "eu", "g1", [here])
        note_sets(connection, "us", "g1", [there])
        note_sets(connection, "eu", "g1", [])
        assert (older, there) == sets(connection)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 6), unique=True), st.lists(st.integers(0, 6), unique=True))
def test_a_catalog_made_again_equals_the_one_that_grew(before: list[int], now: list[int]) -> None:
    chain = a_chain(7)

    def told_in(folder: str, *tellings: list[int]) -> tuple[SetFacts, ...]:
        catalog = Catalog(Path(folder) / "catalog.sqlite")
        with catalog.write() as connection:
            for numbers in tellings:
                note_sets(connection, "eu", "g1", [chain[n] for n in numbers])
            found = sets(connection)
        catalog.close()
        return found

    with TemporaryDirectory() as grown, TemporaryDirectory() as fresh:
        assert told_in(grown, before, now) == told_in(fresh, now)


def test_a_lead_is_kept_by_renewing_and_passes_on_when_it_runs_out(catalog: Catalog) -> None:
    def take(holder: str, now: float) -> lead.Lead | None:
        with catalog.write() as connection:
            return lead.take(connection, "backup", holder, now=now, valid_s=15.0)

    first = take("a", 0.0)
    assert lead.Lead("backup", "a", 1, 15.0) == first
    assert take("b", 14.9) is None
    assert lead.Lead("backup", "a", 1, 25.0) == take("a", 10.0)
    second = take("b", 25.0)
    assert lead.Lead("backup", "b", 2, 40.0) == second
    assert take("a", 26.0) is None
    with catalog.read() as connection:
        assert first is not None
        assert second is not None
        assert not lead.holds(connection, first, now=26.0)
        assert lead.holds(connection, second, now=26.0)
        assert not lead.holds(connection, second, now=40.0)


def test_a_lead_taken_by_a_clock_that_ran_ahead_locks_nobody_out(catalog: Catalog) -> None:
    with catalog.write() as connection:
        ahead = lead.take(connection, "backup", "a", now=1_200.0, valid_s=15.0)
        taken = lead.take(connection, "backup", "b", now=0.0, valid_s=15.0)
    assert lead.Lead("backup", "b", 2, 15.0) == taken
    with catalog.read() as connection:
        assert ahead is not None
        assert not lead.holds(connection, ahead, now=1_201.0)


def test_a_lead_that_is_given_up_is_free_at_once(catalog: Catalog) -> None:
    with catalog.write() as connection:
        first = lead.take(connection, "backup", "a", now=0.0, valid_s=15.0)
        assert first is not None
        lead.give_up(connection, first)
        taken = lead.take(connection, "backup", "b", now=0.1, valid_s=15.0)
    assert lead.Lead("backup", "b", 2, 15.1) == taken


def test_whoever_lost_the_lead_cannot_give_up_anothers(catalog: Catalog) -> None:
    with catalog.write() as connection:
        first = lead.take(connection, "backup", "a", now=0.0, valid_s=15.0)
        second = lead.take(connection, "backup", "b", now=20.0, valid_s=15.0)
        assert first is not None
        assert second is not None
        lead.give_up(connection, first)
        assert lead.holds(connection, second, now=21.0)
