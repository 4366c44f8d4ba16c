"""Verification of real repositories: what is whole is not accused, each damage is found."""

import json
import time

import pytest

from abops.backup.service.damage import DAMAGES
from support.backup import Protected


@pytest.fixture(scope="module")
def filled(protected: Protected) -> Protected:
    """Two regions with a full set, an increment and log after it."""
    protected.database.fill()
    for kind in ("full", "incr"):
        done = protected.abops("run", "--type", kind)
        assert done.returncode == 0, done.stderr
        for _ in range(4):
            protected.switch()
    return protected


def verified(protected: Protected, *words: str) -> tuple[int, dict[str, dict[str, object]]]:
    done = protected.abops("verify", "--output", "json", *words)
    assert done.stdout, done.stderr
    return done.returncode, {one["destination"]: one for one in json.loads(done.stdout)}


def test_what_is_whole_is_not_accused(filled: Protected) -> None:
    code, found = verified(filled, "--deep")
    assert (0, {"eu": [], "us": []}) == (
        code,
        {name: one["findings"] for name, one in found.items()},
    )


def test_every_kind_of_damage_is_found_in_a_copy_and_the_clean_copy_is_not_accused(
    filled: Protected,
) -> None:
    began = time.monotonic()
    done = filled.abops("verify", "--validate", "--to", "eu", "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 45
    tried = json.loads(done.stdout)
    assert ["none", *(one.name for one in DAMAGES)] == [one["damage"] for one in tried]
    assert [] == [one for one in tried if not one["found"]]
    assert [] == list(filled.home.folder.glob("validate-*"))
