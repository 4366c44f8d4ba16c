"""The backup section of platform.yaml: what it becomes, and what its author reads of mistakes."""

from datetime import timedelta
from pathlib import Path

import pytest

from abops.inventory.load import InventoryError, load_inventory

from .test_load import GOOD, mistakes

BACKUP = """\
backup:
  store: db
  destinations:
    near: {type: s3, bucket: b, endpoint: s3.near.example.org, region: near, credentials: near}
    far: {type: azure, account: a, container: c, endpoint: far.example.org, credentials: far}
    vault:
      type: s3
      bucket: v
      endpoint: s3.far.example.org
      region: far
      credentials: vault
      role: mirror
      of: near
      object_lock: {days: 35}
  wal: {policy: {require: [near]}, queue_max: 2GiB}
"""


def test_a_sound_section_becomes_values_with_the_defaults_of_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(GOOD + BACKUP)
    backup = load_inventory(path).backup
    assert backup is not None
    assert ("near", "far") == backup.sources
    assert (2 * 2**30, timedelta(seconds=3)) == (backup.wal.queue_max, backup.wal.timeout)
    assert ("sun 01:00", "UTC", 30) == (
        backup.schedule.full,
        backup.schedule.tz,
        backup.retention.days,
    )


def test_the_committed_inventory_protects_its_database_in_three_places() -> None:
    backup = load_inventory(Path(__file__).parents[3] / "platform.yaml").backup
    assert backup is not None
    assert ("eu", "us", "azure") == backup.sources


def test_no_section_means_no_protection(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(GOOD)
    assert load_inventory(path).backup is None


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        pytest.param("store: db", "store: dp", "store: dp", "Known: db.", id="store"),
        pytest.param("of: near", "of: neat", "of: neat", "Did you mean 'near'?", id="mirror of"),
        pytest.param(
            "require: [near]", "require: [vault]", "wal:", "Known: far, near.", id="require"
        ),
        pytest.param(
            "{require: [near]}", "{any: 3}", "wal:", "3 destinations are asked for", id="too many"
        ),
        pytest.param(
            "{require: [near]}", "{any: 1, all: true}", "wal:", "say exactly one", id="two ways"
        ),
        pytest.param(
            "      of: near\n", "", "vault:", "a mirror names the destination", id="no of"
        ),
        pytest.param(
            "      role: mirror\n      of: near\n", "", "vault:", "for mirrors", id="locked backup"
        ),
        pytest.param("2GiB", "2 potatoes", "wal:", "512MiB, 20GiB", id="size"),
        pytest.param(
            "  wal:", "  schedule: {full: 'son 01:00'}\n  wal:", "schedule:", "no day", id="day"
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, line: str, words: str
) -> None:
    assert old in BACKUP
    text = GOOD + BACKUP.replace(old, new, 1)
    number = 1 + next(n for n, content in enumerate(text.splitlines()) if line in content)
    told = " ".join(mistakes(tmp_path, text))
    assert f"platform.yaml:{number}: " in told
    assert words in told


def test_each_mistake_stops_the_loading(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(GOOD + BACKUP.replace("credentials: near", "credential: near"))
    with pytest.raises(InventoryError, match="Did you mean 'credentials'"):
        load_inventory(path)
