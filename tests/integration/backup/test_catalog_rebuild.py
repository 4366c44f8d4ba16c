"""The catalog is lost and had again: the same rows, from what the destinations themselves say."""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import text

from abops.backup.drill.evidence import Evidence, write_evidence
from abops.backup.drill.run import record_of
from abops.backup.store.database import Catalog
from abops.backup.store.entries import get
from abops.backup.store.records import Drill
from support.backup import Protected, give_to_owner


def backups(protected: Protected) -> Sequence[Mapping[str, object]]:
    catalog = Catalog(protected.home.catalog)
    try:
        with catalog.read() as connection:
            rows = connection.execute(text("SELECT * FROM backup ORDER BY destination, label"))
            return [dict(row) for row in rows.mappings()]
    finally:
        catalog.close()


def drills(protected: Protected) -> tuple[Drill, ...]:
    catalog = Catalog(protected.home.catalog)
    try:
        with catalog.read() as connection:
            return get(connection, Drill)
    finally:
        catalog.close()


def rebuilt(protected: Protected) -> tuple[str, list[dict[str, object]]]:
    done = protected.abops("catalog", "rebuild", "--output", "json")
    assert 0 == done.returncode, done.stderr
    return done.stderr, json.loads(done.stdout)


def test_a_catalog_that_is_gone_or_broken_is_had_again_row_for_row(protected: Protected) -> None:
    protected.archive_directly("eu", "us")
    for words in (("--type", "full"), ("--type", "incr", "--to", "eu")):
        done = protected.abops("run", *words)
        assert 0 == done.returncode, done.stderr
    label = backups(protected)[0]["label"]
    kept = protected.abops("keep", str(label), "--name", "audit", "--until", "2999-01-31")
    assert 0 == kept.returncode, kept.stderr
    evidence = Evidence(
        id="20261101-030000-eu-latest-0001",
        destination="eu",
        generation="g1",
        label=str(label),
        kind="latest",
        started=1.0,
        ended=2.0,
        outcome="success",
        target=1.0,
        rto_s=1.0,
        rpo_s=0.5,
        phases={"fetch": 1.0},
        size=1,
        segments=1,
        point="p",
        tables=1,
        checks=(),
    )
    write_evidence(protected.home, evidence)
    give_to_owner(protected.home.drills)
    before = backups(protected)
    assert [("eu", "full"), ("eu", "incr"), ("us", "full")] == [
        (row["destination"], row["type"]) for row in before
    ]
    assert "audit until 2999-01-31" == before[0]["keep"]

    for file in protected.home.folder.glob("catalog.sqlite*"):
        file.unlink()
    _, told = rebuilt(protected)
    assert [("eu", "g1", 2), ("us", "g1", 1)] == [
        (one["destination"], one["generation"], one["sets"]) for one in told
    ]
    assert before == backups(protected)
    assert (record_of(evidence),) == drills(protected)

    protected.home.catalog.write_bytes(b"this is no database, " * 500)
    warning, _ = rebuilt(protected)
    assert "the catalog could not be read; it is catalog.sqlite.broken-" in warning
    assert before == backups(protected)
