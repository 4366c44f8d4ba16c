import re
from pathlib import Path

import pytest

from abops.stack.tools.lock import DownloadProvider, ToolLockError, kind_of, read_lock
from abops.stack.tools.versions import is_within, parse_version

ENTRY = """
[tools.echo]
programs = ["echo"]
min = "1.0"
version = { arguments = ["--version"], pattern = '(\\d+\\.\\d+)' }
profiles = ["test"]
providers = [{ kind = "path" }, { kind = "apt-extract", suite = "trixie", packages = ["one"] }]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "tools.lock"
    path.write_text(text)
    return path


def test_an_entry_is_read_with_its_providers_in_order(tmp_path: Path) -> None:
    tool = read_lock(written(tmp_path, ENTRY))["echo"]
    assert ("echo",) == tool.programs
    assert ["path", "apt-extract:trixie"] == [kind_of(provider) for provider in tool.providers]


def test_the_key_changes_with_the_entry_and_with_nothing_else(tmp_path: Path) -> None:
    key = read_lock(written(tmp_path, ENTRY))["echo"].key
    assert key == read_lock(written(tmp_path, "# a remark\n" + ENTRY))["echo"].key
    assert key != read_lock(written(tmp_path, ENTRY.replace('"1.0"', '"1.1"')))["echo"].key


def test_who_asks_for_a_tool_does_not_change_its_key(tmp_path: Path) -> None:
    key = read_lock(written(tmp_path, ENTRY))["echo"].key

    asked = ENTRY.replace('profiles = ["test"]', 'profiles = ["test", "up"]')
    assert asked != ENTRY
    assert key == read_lock(written(tmp_path, asked))["echo"].key


def test_the_key_of_a_go_tool_follows_its_sums(tmp_path: Path) -> None:
    text = ENTRY.replace('{ kind = "path" }', '{ kind = "go", module = "m", builds = {} }')
    module = tmp_path / "go" / "m"
    module.mkdir(parents=True)
    (module / "go.sum").write_text("one")
    before = read_lock(written(tmp_path, text), modules=tmp_path / "go")["echo"].key
    (module / "go.sum").write_text("two")
    assert before != read_lock(tmp_path / "tools.lock", modules=tmp_path / "go")["echo"].key


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('min = "1.0"', "", "[tools.echo]: Object missing required field `min`"),
        (
            '"test"',
            '"tset"',
            "[tools.echo] profiles: 'tset' is none of check, up, logs, test, browser",
        ),
        ('kind = "path"', 'kind = "brew"', "[tools.echo]: Invalid value 'brew'"),
        ("suite", "siute", "[tools.echo]: Object contains unknown field `siute`"),
        ("(\\d+\\.\\d+)", "(\\d+", "[tools.echo] version.pattern: missing ), unterminated"),
        ("[tools.echo]", "[tools.echo", "Expected"),
        ("[tools.echo]", "[echo]", "there is no [tools.<name>] table"),
    ],
)
def test_a_mistake_names_file_tool_and_key(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    path = written(tmp_path, ENTRY.replace(old, new))
    with pytest.raises(ToolLockError) as caught:
        read_lock(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)


def test_a_missing_lock_is_said(tmp_path: Path) -> None:
    with pytest.raises(ToolLockError, match=r"nowhere is missing"):
        read_lock(tmp_path / "nowhere")


def test_the_committed_lock_is_sound() -> None:
    tools = read_lock()
    names = [program for tool in tools.values() for program in tool.programs]
    assert sorted(set(names)) == sorted(names)
    assert {"prometheus", "alertmanager", "postgres", "redis", "jaeger"} <= set(tools)
    optional = ["jaeger", "opensearch", "rsyslog", "pgbackrest-oldest", "postgres-16", "azurite"]
    assert optional == [tool.name for tool in tools.values() if tool.optional]


def test_downloads_are_asked_after_apt_and_pin_a_version_that_will_do() -> None:
    order = {"path": 0, "pypi": 1, "apt-install": 2, "apt-extract": 2, "download": 3}
    order |= {"go": 4, "maven": 4, "maven-archive": 4, "npm": 4}
    downloads = 0
    for tool in read_lock().values():
        ranks = [order[kind_of(provider).partition(":")[0]] for provider in tool.providers]
        assert sorted(ranks) == ranks, tool.name
        for provider in tool.providers:
            if isinstance(provider, DownloadProvider):
                downloads += 1
                version = re.search(r"/download/v([0-9.]+)/", provider.url)
                assert version is not None
                assert is_within(version[1], tool.min, tool.below)
                assert re.fullmatch("[0-9a-f]{64}", provider.sha256)
                assert set(tool.programs) == set(provider.programs)
    assert 6 == downloads


@pytest.mark.parametrize(
    ("version", "minimum", "below", "expected"),
    [
        ("2.53.3", "2.42", None, True),
        ("2.9", "2.42", None, False),
        ("v0.17.1", "0.11", None, True),
        ("1.27.0", "1.26", "1.27", False),
        ("2.42.0+ds-5", "2.42", None, True),
        ("unknown", "0", None, False),
    ],
)
def test_versions_compare_as_numbers(
    version: str, minimum: str, below: str | None, *, expected: bool
) -> None:
    assert expected == is_within(version, minimum, below)


def test_a_version_ends_where_its_build_begins() -> None:
    assert (0, 28, 1) == parse_version("0.28.1-rc.2")
