"""Two repositories of one destination while its key is changed, and those of keys of before."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from abops.backup.model import Home
from abops.backup.wal.engine import EngineCarrier, Outcome, Wanted
from support.backup_values import EU, SITE

ENGINE = """#!/bin/sh
# Ends as the file beside the configuration says, and notes that it was called.
for word; do case $word in --config=*) config=${word#--config=} ;; esac; done
echo "$config" >> "$(dirname "$0")/calls"
exit "$(cat "$config.code")"
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    program = tmp_path / "engine"
    program.write_text(ENGINE)
    program.chmod(0o755)
    return Home(tmp_path)


def carrier(home: Home, generation: str, following: str = "", **codes: int) -> EngineCarrier:
    """Return the carrier of a home where the engine ends so for each key generation."""
    for name, code in codes.items():
        config = home.engine(EU.name, name)
        config.write_text("")
        Path(f"{config}.code").write_text(str(code))
    place = replace(EU, generation=generation, next=following)
    return EngineCarrier(home, replace(SITE, engine=home.folder / "engine", destinations=(place,)))


def called(home: Home) -> list[str]:
    return [line.split(".")[-2] for line in (home.folder / "calls").read_text().splitlines()]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({"g1": 0, "g2": 0}, Outcome.DONE),
        ({"g1": 0, "g2": 103}, Outcome.FAILED),
        ({"g1": 103, "g2": 0}, Outcome.FAILED),
        ({"g1": 0, "g2": 45}, Outcome.DIFFERENT),
        ({"g1": 103, "g2": 45}, Outcome.DIFFERENT),
    ],
)
async def test_a_segment_is_there_when_both_repositories_have_it(
    home: Home, codes: dict[str, int], expected: Outcome
) -> None:
    told = await carrier(home, "g1", "g2", **codes).push("eu", Path("/log/0"), 5.0)
    assert expected == told.outcome
    assert ["g1", "g2"] == sorted(called(home))


async def test_the_log_does_not_go_to_a_key_of_before(home: Home) -> None:
    told = await carrier(home, "g2", g1=0, g2=0).push("eu", Path("/log/0"), 5.0)
    assert (Outcome.DONE, ["g2"]) == (told.outcome, called(home))


@pytest.mark.parametrize(
    ("codes", "expected", "asked"),
    [
        ({"g1": 0, "g2": 0, "g10": 0}, Outcome.DONE, ["g10"]),
        ({"g1": 0, "g2": 1, "g10": 1}, Outcome.DONE, ["g10", "g2", "g1"]),
        ({"g1": 1, "g2": 1, "g10": 1}, Outcome.ABSENT, ["g10", "g2", "g1"]),
        # Nobody may say that it is the end of the log while one could not be asked.
        ({"g1": 1, "g2": 103, "g10": 1}, Outcome.FAILED, ["g10", "g2", "g1"]),
        ({"g1": 0, "g2": 103, "g10": 1}, Outcome.DONE, ["g10", "g2", "g1"]),
    ],
)
async def test_what_a_recovery_asks_for_is_looked_for_under_every_key(
    home: Home, codes: dict[str, int], expected: Outcome, asked: list[str]
) -> None:
    wanted = Wanted("0" * 24, home.folder / "file", home.folder)
    told = await carrier(home, "g10", **codes).get("eu", wanted, 5.0)
    assert (expected, asked) == (told.outcome, called(home))
