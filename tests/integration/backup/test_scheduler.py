"""The scheduler on a real database with two regions: what it makes, makes good, and publishes."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from abops.backup.model import Site
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.site import save_site
from abops.backup.store.database import Catalog
from abops.backup.store.entries import get, put
from abops.backup.store.records import Drill, Run
from abops.clients.objectstore import open_store
from abops.kernel.clock import SystemClock
from support.backup import ABOPS, ROOT, Protected, give_to_owner
from support.servers import answers, free_port, wait_until


@pytest.fixture(scope="module")
def scheduled(protected: Protected) -> Protected:
    """A protected database whose log goes straight to both regions, on a timetable of its own."""
    protected.archive_directly("eu", "us")
    key = protected.home.folder.parent / "recovery.key"
    made = protected.abops("config", "init-key", "--write-identity", key)
    assert made.returncode == 0, made.stderr
    rehearsed(protected)
    return protected


def rehearsed(protected: Protected) -> None:
    """Note a drill of long ago for each destination: rehearsals have tests of their own."""
    catalog = Catalog(protected.home.catalog)
    try:
        with catalog.write() as connection:
            for place in protected.site.sources:
                drill = Drill(
                    id=f"{place.name}-of-old",
                    destination=place.name,
                    generation=place.generation,
                    label="",
                    kind="latest",
                    started=0.0,
                    ended=0.0,
                    outcome="success",
                )
                put(connection, drill)
    finally:
        catalog.close()
    give_to_owner(protected.home.folder)


@contextmanager
def timetable(protected: Protected, **times: object) -> Iterator[None]:
    """Have another timetable while the block runs, as an inventory of other words would make."""
    site = protected.site
    other = msgspec.structs.replace(site.schedule, **times)
    _save(protected, msgspec.structs.replace(site, schedule=other))
    try:
        yield
    finally:
        _save(protected, site)


def _save(protected: Protected, site: Site) -> None:
    save_site(protected.home, site)
    give_to_owner(protected.home.site)


def just_now() -> str:
    """Return an interval whose last time came this second, and whose next one comes in decades."""
    return f"{int(SystemClock().now().timestamp())}s"


@contextmanager
def wrong_key(protected: Protected, name: str) -> Iterator[None]:
    """Have a destination refuse us while the block runs; the log goes to the other one only."""
    protected.archive_directly("us")
    config = protected.config(name)
    right = config.read_text()
    config.write_text(re.sub(r"(?m)^repo1-s3-key-secret=.*$", "repo1-s3-key-secret=wrong", right))
    try:
        yield
    finally:
        config.write_text(right)
        protected.archive_directly("eu", "us")


@contextmanager
def serving(protected: Protected, port: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """Run a scheduler until the end of the block."""
    words = [ABOPS, "backup", "schedule", "--home", protected.home.folder, "--metrics-port", port]
    process = subprocess.Popen(list(map(str, words)), cwd=ROOT, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def under_way(protected: Protected) -> list[Run]:
    """Return the backups that are running now."""
    return [one for one in runs(protected) if one.state == "running" and one.kind == "full"]


def spoil(protected: Protected, name: str, label: str) -> None:
    """Remove an object of a set from its region, as a mistaken clean-up would."""
    place = protected.destination(name)
    store = open_store(place, credentials_of(protected.home, place))
    prefix = f"{place.folder}/backup/{protected.site.stanza}/{label}/".strip("/")

    async def remove() -> None:
        objects = await store.list(prefix)
        bundle = max(objects, key=lambda one: one.size)
        await store.delete([bundle.path])

    asyncio.run(remove())


def once(protected: Protected) -> list[dict[str, object]]:
    """Run the schedule once; return what it carried out."""
    done = protected.abops("schedule", "--once", "--output", "json")
    told: list[dict[str, object]] = json.loads(done.stdout)
    return told


FIRST = ("full", "retain", "verify")
"""What a destination gets at once; then it waits for its times."""


def told(ended: list[dict[str, object]]) -> list[tuple[str, object]]:
    """Return destination and kind, and how each ended."""
    return sorted((str(one["run"]).rsplit("-", 1)[0], one["outcome"]) for one in ended)


def runs(protected: Protected) -> tuple[Run, ...]:
    """Return all runs of the catalog."""
    catalog = Catalog(protected.home.catalog)
    try:
        with catalog.read() as connection:
            return get(connection, Run)
    finally:
        catalog.close()


def test_what_is_due_is_done_once(scheduled: Protected) -> None:
    due = ["all-config", *(f"{name}-{kind}" for name in ("eu", "us") for kind in FIRST)]
    assert [(each, "success") for each in due] == told(once(scheduled))
    assert [] == once(scheduled)


def test_a_destination_that_refuses_fails_alone_and_is_tried_again_after_its_pause(
    scheduled: Protected,
) -> None:
    once(scheduled)
    times = {"incr": just_now(), "retry_after_s": (0.0, 3_600.0)}
    with timetable(scheduled, **times), wrong_key(scheduled, "eu"):
        first = scheduled.abops("schedule", "--once")
        second = scheduled.abops("schedule", "--once")
        third = scheduled.abops("schedule", "--once")
    assert [1, 1, 0] == [one.returncode for one in (first, second, third)]
    assert "eu-incr" in first.stderr
    assert "hint:" in first.stderr
    ended = {one.destination: one for one in runs(scheduled) if one.kind == "incr"}
    assert ("failed", 2) == (ended["eu"].state, ended["eu"].attempt)
    assert ("success", 1) == (ended["us"].state, ended["us"].attempt)


def test_a_chain_that_is_found_broken_gets_a_full_set_at_once(scheduled: Protected) -> None:
    once(scheduled)
    newest = json.loads(scheduled.abops("list", "--to", "us", "--output", "json").stdout)[-1]
    spoil(scheduled, "us", str(newest["label"]))
    with timetable(scheduled, verify=just_now()):
        done = once(scheduled)
    assert [("eu-verify", "success"), ("us-verify", "success")] == [
        one for one in told(done) if one[0].endswith("verify")
    ]
    full = [one for one in done if str(one["run"]).startswith("us-full")]
    assert [("success", f"the chain of {newest['label']} was found broken")] == [
        (one["outcome"], one["reason"]) for one in full
    ]


def test_a_killed_scheduler_is_followed_by_one_that_ends_its_run(scheduled: Protected) -> None:
    once(scheduled)
    with timetable(scheduled, full=just_now()), serving(scheduled) as process:
        wait_until(lambda: under_way(scheduled) != [], what="a backup under way")
        left = under_way(scheduled)
        process.kill()
        process.wait(10)
        another = scheduled.abops("schedule", "--once")
        assert "leads" in another.stderr
        wait_until(lambda: once(scheduled) != [], what="the lead has run out", timeout_s=40)
    assert [] == under_way(scheduled)
    # Made anew, or by the engine that outlived the scheduler: once in any case.
    assert "success" == {one.id: one for one in runs(scheduled)}[left[0].id].state
    sets = json.loads(scheduled.abops("list", "--output", "json").stdout)
    assert 1 == len([one for one in sets if one["run"] == left[0].id])


def test_its_figures_are_those_of_the_catalog(scheduled: Protected) -> None:
    once(scheduled)
    port = free_port()
    with serving(scheduled, port):
        url = f"http://127.0.0.1:{port}/metrics"
        wait_until(lambda: answers(url), what="metrics")
        with urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
    found = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    sets = json.loads(scheduled.abops("list", "--output", "json").stdout)
    for name in ("eu", "us"):
        full = [one for one in sets if one["destination"] == name and one["type"] == "full"][-1]
        last = found["abops_backup_last_success_timestamp_seconds", name, "full"]
        assert full["stopped"] == last
        made = [one for one in runs(scheduled) if one.destination == name and one.kind == "full"]
        succeeded = [one for one in made if one.state == "success"]
        assert len(succeeded) == found["abops_backup_runs_total", name, "success", "full"]
        assert ("abops_backup_runs_total", name, "failed", "incr") in found
        assert 0 <= found["abops_backup_key_age_days", name, "g1"] < 1
    assert 1 == found["abops_backup_scheduler_leads",]
