"""Retention by the real engine, day after day: what goes, what stays, and what stays for good."""

from collections.abc import Iterator

import pytest

from support.azure import AzureServer
from support.later import Later, later


@pytest.fixture
def world(azure: AzureServer) -> Iterator[Later]:
    with later(azure) as one:
        yield one


def test_at_29_days_nothing_goes_and_at_31_the_older_full_set_and_the_log_before_the_newer(
    world: Later,
) -> None:
    older, increment = world.make("full"), world.make("incr")
    newer = world.make("full")
    everything = world.segments()
    world.go(29)
    (kept,) = world.told("retain")
    assert ("nothing", [], 0) == (kept["outcome"], kept["removed"], kept["segments"])
    assert [older, increment, newer] == world.labels()
    assert everything == world.segments()
    world.go(31)
    (planned,) = world.told("retain", "--dry-run")
    assert ("planned", [older, increment]) == (planned["outcome"], planned["removed"])
    assert everything == world.segments()
    (gone,) = world.told("expire")
    assert ("removed", [older, increment]) == (gone["outcome"], gone["removed"])
    assert [newer] == world.labels()
    (left,) = world.told("list")
    first = left["wal_start"]
    assert [name for name in everything if name >= first] == world.segments()
    assert len(everything) - len(world.segments()) == gone["segments"]
    (whole,) = world.told("verify")
    assert ("success", []) == (whole["outcome"], whole["findings"])
    world.go(400)
    (last,) = world.told("retain")
    assert ("nothing", [newer]) == (last["outcome"], world.labels())
