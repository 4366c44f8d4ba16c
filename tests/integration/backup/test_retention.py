"""Retention by the real engine, day after day: what goes, what stays, and what stays for good."""

import asyncio
from collections.abc import Iterator

import pytest

from abops.backup.postgres.credentials import credentials_of
from abops.clients.objectstore import open_store
from support.azure import AzureServer
from support.later import Later, later


@pytest.fixture
def world(azure: AzureServer) -> Iterator[Later]:
    with later(azure) as one:
        yield one


def leave_remains(world: Later, label: str) -> None:
    """Leave what an attempt that was cut off leaves: files of a set that nobody lists."""
    place = world.protected.destination("azure")
    store = open_store(place, credentials_of(world.protected.home, place))
    at = f"{place.folder}/backup/{world.protected.site.stanza}/{label}"
    asyncio.run(store.put(f"{at}/bundle/1", b"the beginning of a set"))


def test_at_29_days_nothing_goes_and_at_31_the_older_full_set_and_the_log_before_the_newer(
    world: Later,
) -> None:
    older, increment = world.make("full"), world.make("incr")
    newer, above = world.make("full"), world.make("incr")
    everything = world.segments()
    leave_remains(world, "20000101-010000F")
    world.go(29)
    (kept,) = world.told("retain")
    assert ("nothing", [], 0) == (kept["outcome"], kept["removed"], kept["segments"])
    assert [older, increment, newer, above] == world.labels()
    assert everything == world.segments()
    world.go(31)
    with world.engine_keeps(60):
        refused = world.abops("retain")
        assert 1 == refused.returncode
        assert f"only the plan removes {older}" in refused.stderr
        assert "hint: See the plan: abops backup retain --dry-run." in refused.stderr
    assert [older, increment, newer, above] == world.labels()
    (planned,) = world.told("retain", "--dry-run")
    assert ("planned", [older, increment]) == (planned["outcome"], planned["removed"])
    assert everything == world.segments()
    (gone,) = world.told("expire")
    assert ("removed", [older, increment]) == (gone["outcome"], gone["removed"])
    assert [newer, above] == world.labels()
    assert ([], []) == (gone["promised"]["gone"], gone["promised"]["overdue"])
    left = world.told("list")[0]
    first = left["wal_start"]
    assert left["stopped"] == gone["promised"]["oldest_recoverable"]
    assert [name for name in everything if name >= first] == world.segments()
    assert len(everything) - len(world.segments()) == gone["segments"]
    (whole,) = world.told("verify")
    assert ("success", []) == (whole["outcome"], whole["findings"])
    world.go(400)
    (last,) = world.told("retain")
    assert ("nothing", [newer, above]) == (last["outcome"], world.labels())


def test_what_is_named_restored_from_or_kept_by_a_rule_stays_and_the_rest_of_its_age_goes(
    world: Later,
) -> None:
    named, restored = world.make("full"), world.make("full")
    world.go(10)
    covering = world.make("full")
    (kept,) = world.told("keep", named, "--name", "before 2.0")
    assert "before 2.0" == kept["kept_as"]
    world.go(45)
    with world.folder() as folder:
        done = world.abops("restore", "--to-dir", folder / "data", "--set", restored)
        assert 0 == done.returncode, done.stderr
    (found,) = world.told("retain")
    # three sets of which none goes; of the log only what lies before all of them
    assert [named, restored, covering] == world.labels()
    reasons = {one["label"]: one["reason"] for one in found["fates"]}
    assert "kept as 'before 2.0'" == reasons[named]
    assert reasons[restored].startswith("held: a restore begun")
    world.go(47)
    (found,) = world.told("retain")
    assert [restored] == found["removed"]
    sets = {one["label"]: one for one in world.told("list")}
    assert [named, covering] == list(sets)
    of_named = (sets[named]["wal_start"], sets[named]["wal_stop"])
    covered_from = sets[covering]["wal_start"]
    for segment in world.segments():
        assert of_named[0] <= segment <= of_named[1] or covered_from <= segment
    (whole,) = world.told("verify")
    assert ("success", []) == (whole["outcome"], whole["findings"])
    assert ["-"] == [one["kept_as"] for one in world.told("keep", named, "--drop")]
    world.policy(days=30, yearly=1)
    (planned,) = world.told("retain", "--dry-run")
    assert [] == planned["removed"]
    world.policy(days=30)
    (gone,) = world.told("retain")
    assert [named] == gone["removed"]


async def test_nothing_goes_without_backups_without_memory_or_without_one_that_is_whole(
    world: Later,
) -> None:
    (empty,) = world.told("retain")
    assert ("nothing", "no backup there: nothing to remove") == (empty["outcome"], empty["reason"])
    older, newer = world.make("full"), world.make("full")
    world.go(31)
    for file in world.protected.home.folder.glob("catalog.sqlite*"):
        file.unlink()
    (forgotten,) = world.told("retain")
    assert (
        "nothing was remembered of it: verified now, removed the next time" == (forgotten["reason"])
    )
    assert [older, newer] == world.labels()
    place = world.protected.destination("azure")
    store = open_store(place, credentials_of(world.protected.home, place))
    for label in (older, newer):
        found = await store.list(f"{place.folder.strip('/')}/backup/main/{label}/bundle")
        await store.delete([found[0].path])
    assert 1 == world.abops("verify").returncode
    (spoiled,) = world.told("retain")
    assert "no full set here is verified: nothing goes before one is" == spoiled["reason"]
    assert ("nothing", [older, newer]) == (spoiled["outcome"], world.labels())


async def test_an_earlier_key_ends_as_a_whole_when_the_present_one_covers_the_days(
    world: Later,
) -> None:
    protected = world.protected
    world.make("full")
    old = protected.destination("azure")
    world.turn_to("g2")
    world.make("full")
    new = protected.destination("azure")
    vault = await world.mirrored()
    assert 0 == world.abops("verify").returncode
    world.told("mirror")
    copies = open_store(vault, credentials_of(protected.home, vault))
    assert await copies.list(old.folder.strip("/"))
    assert await copies.list(new.folder.strip("/"))
    world.go(29)
    (kept,) = world.told("retain")
    assert [] == kept["ended"]
    store = open_store(new, credentials_of(protected.home, new))
    assert await store.list(old.folder.strip("/"))
    world.go(31)
    (planned,) = world.told("retain", "--dry-run")
    assert ["g1"] == planned["ended"]
    (gone,) = world.told("retain")
    assert (["g1"], []) == (gone["ended"], gone["removed"])
    assert [] == list(await store.list(old.folder.strip("/")))
    assert not protected.home.engine("azure", "g1").exists()
    # The mirror follows, a week late.
    world.told("mirror")
    assert await copies.list(old.folder.strip("/"))
    world.go(39)
    world.told("mirror")
    assert [] == list(await copies.list(old.folder.strip("/")))
    assert not protected.home.engine("vault", "g1").exists()
    assert await copies.list(new.folder.strip("/"))
