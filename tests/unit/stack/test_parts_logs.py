"""The log path among the parts: only when asked for, and without Java only its loss is named."""

from pathlib import Path

import pytest

from abops.stack import parts_logs
from abops.stack.credentials import make_credentials
from abops.stack.layout import Layout
from abops.stack.part import Part
from abops.stack.parts import declare_parts
from abops.stack.ports import DEFAULTS
from abops.stack.site import Site, load_site
from abops.stack.tools import ToolMissingError

PATH = {"opensearch", "logs-setup", "rsyslog", "logs-keeper"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    layout = Layout(tmp_path / "checkout", tmp_path / "stack")
    make_credentials(layout.secrets, slack_url="http://127.0.0.1:9611")
    return Site(layout, DEFAULTS, logs=True)


def installed(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    def find(name: str) -> Path:
        if name not in programs:
            raise ToolMissingError(f"{name} is not installed")
        return Path("/bin") / name

    monkeypatch.setattr(parts_logs, "find_tool", find)


def declared(site: Site) -> dict[str, Part]:
    return {part.name: part for part in declare_parts(site)}


def test_without_being_asked_for_there_is_no_log_path(site: Site) -> None:
    parts = declared(Site(site.layout, site.ports))
    assert set() == PATH & parts.keys()
    assert "--logs" not in parts["alerts"].argv


def test_lines_are_shipped_only_to_a_store_that_masks(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, "opensearch", "rsyslogd")
    parts = declared(site)
    assert parts.keys() >= PATH
    assert ("logs-setup",) == parts["rsyslog"].depends_on
    assert ("opensearch",) == parts["logs-setup"].depends_on
    assert "http://127.0.0.1:9200" in parts["alerts"].argv


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ((), {"opensearch", "rsyslog"}),
        (("rsyslogd",), {"opensearch"}),
        (("opensearch",), {"rsyslog"}),
    ],
)
def test_what_is_not_installed_is_declared_alone_and_names_what_is_lost(
    site: Site, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], expected: set[str]
) -> None:
    installed(monkeypatch, *there)
    parts = declared(site)
    assert expected == PATH & parts.keys()
    assert {parts_logs.LOST} == {parts[name].without for name in expected}


def test_the_choice_is_kept_in_the_folder(site: Site) -> None:
    assert not load_site(site.layout).logs
    site.layout.logs_file.touch()
    assert load_site(site.layout).logs
