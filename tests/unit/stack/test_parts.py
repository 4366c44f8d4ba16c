"""The declared parts keep the rules that hold for all of them."""

import re
from pathlib import Path

import pytest

from abops.stack.credentials import KINDS, make_credentials
from abops.stack.layout import Layout
from abops.stack.part import Part
from abops.stack.parts import declare_parts
from abops.stack.ports import DEFAULTS
from abops.stack.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    layout = Layout(tmp_path / "checkout", tmp_path / "stack")
    make_credentials(layout.secrets, slack_url="http://127.0.0.1:9611")
    return Site(layout, DEFAULTS)


@pytest.fixture
def parts(site: Site) -> tuple[Part, ...]:
    return declare_parts(site)


def test_names_are_unique(parts: tuple[Part, ...]) -> None:
    names = [part.name for part in parts]

    assert sorted(set(names)) == sorted(names)


def test_every_dependency_is_declared_before_it_is_needed(parts: tuple[Part, ...]) -> None:
    # Were there a cycle, two parts would wait for each other for ever.
    names = {part.name for part in parts}
    order: list[str] = []
    left = list(parts)
    while left:
        ready = [part for part in left if set(part.depends_on) <= set(order)]
        assert ready, f"a cycle or an unknown name among {[part.name for part in left]}"
        order += [part.name for part in ready]
        left = [part for part in left if part.name not in order]

    assert names == set(order)


def test_no_secret_stands_in_a_command(site: Site, parts: tuple[Part, ...]) -> None:
    secrets = {site.secret(name) for name in KINDS}
    words = [str(word) for part in parts for word in part.argv] + [part.url for part in parts]

    assert [] == [word for word in words if any(secret in word for secret in secrets)]


def test_every_address_is_on_the_loopback(parts: tuple[Part, ...]) -> None:
    words = [str(word) for part in parts for word in (*part.argv, *part.env.values(), part.url)]
    hosts = {match[1] for word in words for match in re.finditer(r"//(?:[^@/]*@)?([^:/]+)", word)}

    assert {"127.0.0.1"} == hosts
    assert [] == [word for word in words if re.search(r"0\.0\.0\.0|address=:\d", word)]


def test_postgresql_alone_stops_before_the_rest(parts: tuple[Part, ...]) -> None:
    assert ["postgres"] == [part.name for part in parts if part.stops_first]


def test_only_an_optional_part_says_what_is_lost_without_it(parts: tuple[Part, ...]) -> None:
    backups = ["region-eu", "region-us", "backup-init", "backup-key", "backup-wal", "backup"]
    assert ["jaeger", *backups] == [part.name for part in parts if part.without]
