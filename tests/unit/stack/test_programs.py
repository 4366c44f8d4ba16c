from pathlib import Path

import pytest

from abops.stack.layout import Layout
from abops.stack.part import Part
from abops.stack.programs import ProgramError, environment, spawn

LAYOUT = Layout(Path("/checkout"), Path("/checkout/.stack"))
PART = Part(name="api", argv=("uvicorn",), env={"DATABASE_URL": "postgresql://x"})


def test_a_part_does_not_inherit_what_would_change_its_ways() -> None:
    inherited = {"PATH": "/bin", "http_proxy": "http://proxy:3128", "PYTHONPATH": "/elsewhere"}

    found = environment(PART, LAYOUT, inherited)

    assert {"PATH", "LANG", "PYTHONUNBUFFERED", "DATABASE_URL"} <= set(found)
    assert {"http_proxy", "PYTHONPATH"} & set(found) == set()


def test_a_part_finds_the_tools_where_the_installer_put_them() -> None:
    inherited = {"ABOPS_TOOLS_DIR": "/tools", "XDG_CACHE_HOME": "/cache"}

    assert inherited.items() <= environment(PART, LAYOUT, inherited).items()


def test_every_process_carries_the_mark_of_its_stack() -> None:
    found = environment(PART, LAYOUT, {"ABOPS_STACK_PART": "supervisor"})

    assert (LAYOUT.stack_id, "api") == (found["ABOPS_STACK"], found["ABOPS_STACK_PART"])


def test_a_program_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    part = Part(name="api", argv=("/no/such/program",))

    with pytest.raises(ProgramError, match="api: /no/such/program: No such file"):
        spawn(part, Layout(tmp_path, tmp_path))
