"""The page about logs names every command, option, file, field and metric there is."""

import re
from pathlib import Path

import click
import pytest

from abops.entry.cli.observability.logs import group
from abops.inventory.load import load_inventory
from abops.observability.logs.files import commented_files, json_files
from abops.observability.logs.metrics import PathState, exposition
from abops.observability.logs.redaction import REDACTIONS
from abops.observability.logs.retention import RETENTION
from abops.observability.logs.templates import FIELDS

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/reference/logs.md").read_text()
INVENTORY = load_inventory(ROOT / "platform.yaml")


def words() -> list[str]:
    commands = group.commands
    options = [
        parameter.opts[-1]
        for command in commands.values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
    ]
    files = [*commented_files(INVENTORY), *json_files(INVENTORY)]
    series = re.findall(r"# TYPE (\w+)", exposition(PathState(up=True)))
    return [*commands, *options, *files, *series]


@pytest.mark.parametrize("word", sorted(set(words())))
def test_the_page_names(word: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", PAGE)


def test_the_page_names_the_fields_of_the_services() -> None:
    unsaid = [name for name in FIELDS if name not in PAGE and not name.startswith("http.re")]
    assert [] == unsaid


def test_the_page_tells_how_long_lines_stay() -> None:
    assert f"{RETENTION.delete_after_days} days" in PAGE
    assert f"{RETENTION.roll_above_gib} GiB" in PAGE


def test_every_pattern_is_one_for_python_too() -> None:
    for redaction in REDACTIONS:
        assert re.compile(redaction.plain_pattern).groups == 1, redaction.kind
