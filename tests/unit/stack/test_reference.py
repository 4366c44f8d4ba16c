"""The reference pages name every command, option, port, part, state, fault and metric there is."""

import re
from pathlib import Path

import click
import pytest

from abops.entry.cli import demo, stack
from abops.stack import exposition
from abops.stack.credentials import KINDS
from abops.stack.keeper import State
from abops.stack.layout import STATE_VARIABLE, Layout
from abops.stack.parts import declare_parts
from abops.stack.ports import DEFAULTS
from abops.stack.programs import KEPT
from abops.stack.site import Site
from abops.workflows.demo_channels import CHANNELS
from abops.workflows.demo_faults import FAULTS, Fault

PAGES = Path(__file__).parents[3] / "docs" / "reference"


def options(command: click.Command) -> list[str]:
    return [param.opts[-1] for param in command.params if isinstance(param, click.Option)]


def stack_words(folder: Path) -> list[str]:
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in KINDS:
        (secrets / name).write_text("x")
    parts = declare_parts(Site(Layout(folder, folder), DEFAULTS))
    series = re.findall(r"# TYPE (\w+)", exposition.text([]))
    commands = stack.group.commands
    return [
        *(part.name for part in parts),
        *map(str, DEFAULTS.values()),
        *(f"`{state.value}`" for state in State),
        *(option for command in commands.values() for option in options(command)),
        *commands,
        *KEPT,
        *series,
        STATE_VARIABLE,
    ]


def test_the_page_of_the_stack_leaves_nothing_out(tmp_path: Path) -> None:
    page = (PAGES / "stack.md").read_text()
    words = stack_words(tmp_path)
    assert [] == [word for word in words if not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", page)]
    assert 80 < len(words)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_page_of_the_demonstration_tells_each_fault(fault: Fault) -> None:
    page = (PAGES / "demo.md").read_text()
    alerts = ", ".join(f"`{name}`" for name in fault.alerts)
    assert f"| `{fault.name}` | {fault.title} | {alerts} |" in page


def test_the_page_of_the_demonstration_names_options_and_messages() -> None:
    page = (PAGES / "demo.md").read_text()
    words = [*options(demo.group), *(name for name, _channel, _send in CHANNELS)]
    assert [] == [word for word in words if word not in page]
