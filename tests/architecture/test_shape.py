"""The shape of the tree: sizes, names, locks, entry points. `.importlinter` holds the rest."""

import ast
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("src", "packages/abops-instrument/src", "workload", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if ".venv" not in path.parts and "versions" not in path.parts
)
BANNED = {"utils", "helpers", "common", "manager", "misc", "base", "types"}


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - whichever git the developer has
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_module_is_longer_than_500_lines() -> None:
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in SOURCES}
    assert {} == {name: lines for name, lines in lengths.items() if lines > 500}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}": lines
        for path in SOURCES
        for function in _functions(ast.parse(path.read_text()))
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > 60
    }
    assert {} == long


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [] == [str(p.relative_to(ROOT)) for p in SOURCES if p.stem in BANNED]


def test_locks_pin_by_hash_and_hold_no_download_address() -> None:
    locks = [*(ROOT / "requirements").glob("*.txt"), ROOT / "workload" / "requirements.txt"]
    assert len(locks) >= 3
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text, lock
        pins = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==", text, re.MULTILINE)
        assert len(pins) <= text.count("--hash=sha256:"), lock


def test_help_loads_click_and_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys; from abops.entry.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'rich', 'structlog', 'sqlalchemy', 'fastapi', 'httpx2'}"
        " & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stderr.strip()


def test_every_command_group_in_the_table_loads_and_has_help() -> None:
    from abops.entry.cli import main  # noqa: PLC0415 - the table is what is tested

    for name in main.GROUPS:
        done = subprocess.run(
            [Path(sys.executable).parent / "abops", name, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, f"{name}: {done.stderr}"
        assert "Usage: abops" in done.stdout


@pytest.mark.parametrize("folder", ["tools", ".ci"])
def test_scripts_stop_at_the_first_error(folder: str) -> None:
    scripts = [p for p in (ROOT / folder).iterdir() if p.is_file() and os.access(p, os.X_OK)]
    assert scripts
    for script in scripts:
        lines = script.read_text().splitlines()
        assert lines[0].startswith("#!"), script
        assert "set -euo pipefail" in lines or "python" in lines[0], script


def test_no_tracked_file_names_a_place_of_one_machine() -> None:
    private = re.compile(r"(?<![\w.])/(?:root|work|home/\w+)/")
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in _tracked()
        if path.suffix not in {".sum", ".zst", ".png", ".js"} and path != Path(__file__)
        if (match := private.search(path.read_text(errors="ignore")))
    ]
    assert [] == found


def test_no_tracked_file_is_a_private_key_or_world_writable() -> None:
    for path in _tracked():
        assert not stat.S_IMODE(path.stat().st_mode) & 0o002, path
        if path != Path(__file__):
            assert b"PRIVATE KEY-----" not in path.read_bytes(), path
