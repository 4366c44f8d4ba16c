"""Every kind of mistake in platform.yaml, with the exact words that its author reads."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.inventory.load import InventoryError, load_inventory
from abops.inventory.matchers import Matcher, parse_matchers

ROOT = Path(__file__).parents[3]
GOOD = """\
version: 1
name: shop
environments:
  local: {region: here, namespace: shop}
services:
  - name: api
    kind: fastapi
    tier: 1
    team: dev
    port: 8000
    metrics: {interval: 5s}
    depends_on: [db]
stores:
  - {name: db, kind: postgres, tier: 1, team: dev, port: 5432, exporter: db-exporter}
platform:
  - {name: db-exporter, kind: exporter, tier: 2, team: dev, port: 9187, metrics: {interval: 15s}}
queues:
  - {name: mail, service: api}
alerts:
  public_url: https://ops.example.org
  channels:
    pager: {type: pagerduty, routing_key_file: secrets/pd}
    chat: {type: slack, channel: C0OPS, token_file: secrets/slack}
  teams:
    dev: {page: pager, chat: chat}
  routes:
    - {match: 'severity="critical"', send: [page, chat]}
"""


def mistakes(folder: Path, text: str) -> list[str]:
    """Return the message's lines, without the folder."""
    path = folder / "platform.yaml"
    path.write_text(text)
    with pytest.raises(InventoryError) as caught:
        load_inventory(path)
    return [line.strip() for line in str(caught.value).replace(f"{folder}/", "").splitlines()]


def test_a_sound_file_becomes_values(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(GOOD)
    inventory = load_inventory(path)
    assert ["api", "db", "db-exporter"] == [part.name for part in inventory.parts]
    assert 5 == inventory.services[0].metrics.interval.total_seconds()
    assert ("page", "chat") == inventory.alerts.routes[0].send


def test_the_committed_inventory_is_sound() -> None:
    assert 5 == len(load_inventory(ROOT / "platform.yaml").queues)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "region: here",
            "regoin: here, region: here",
            [
                "platform.yaml:4: unknown key environments.local.regoin",
                "hint: Did you mean 'region'?",
            ],
            id="unknown key",
        ),
        pytest.param(
            "depends_on: [db]",
            "depends_on: [dbx]",
            [
                "platform.yaml:12: 'api' depends on 'dbx', which does not exist",
                "hint: Did you mean 'db'?",
            ],
            id="dangling dependency",
        ),
        pytest.param(
            "exporter: db-exporter",
            "exporter: dbexporter",
            [
                "platform.yaml:14: exporter 'dbexporter' of 'db' is not under platform",
                "hint: Did you mean 'db-exporter'?",
            ],
            id="dangling exporter",
        ),
        pytest.param(
            "tier: 1\n    team: dev",
            "tier: 1\n    team: devs",
            [
                "platform.yaml:9: 'api' belongs to team 'devs', which alerts.teams does not have",
                "hint: Did you mean 'dev'?",
            ],
            id="unknown team",
        ),
        pytest.param(
            "send: [page, chat]",
            "send: [page, chta]",
            ["platform.yaml:27: there is no channel 'chta'", "hint: Did you mean 'chat'?"],
            id="unknown channel in a route",
        ),
        pytest.param(
            "page: pager",
            "page: fax",
            ["platform.yaml:25: there is no channel 'fax'", "hint: Known: chat, pager."],
            id="unknown channel of a team",
        ),
        pytest.param(
            "service: api}",
            "service: apo}",
            [
                "platform.yaml:18: queue 'mail' is read by 'apo', which is no service",
                "hint: Did you mean 'api'?",
            ],
            id="unknown service of a queue",
        ),
        pytest.param(
            "name: db,",
            "name: api,",
            [
                "platform.yaml:14: 'api' is already the name of a part in services",
                "hint: Names are unique across services, stores and platform.",
                "platform.yaml:12: 'api' depends on 'db', which does not exist",
                "hint: Known: api, db-exporter.",
            ],
            id="duplicate name, and what hung on it",
        ),
        pytest.param(
            "port: 5432",
            "port: 8000",
            [
                "platform.yaml:14: port 8000 is already the port of 'api'",
                "hint: Give each part a port of its own.",
            ],
            id="duplicate port",
        ),
        pytest.param(
            "interval: 5s",
            "interval: 5",
            [
                (
                    "platform.yaml:11: services.0.metrics.interval: '5' is not a duration;"
                    " write a number and a unit: 30s, 15m, 4h"
                ),
                "hint: Correct the value.",
            ],
            id="bad unit",
        ),
        pytest.param(
            "'severity=\"critical\"'",
            "'severity=critical, service api'",
            [
                (
                    "platform.yaml:27: alerts.routes.0.match: cannot read ' service api' in"
                    ' \'severity=critical, service api\'; write label="value", other=~"a|b"'
                ),
                "hint: Correct the value.",
            ],
            id="bad matcher",
        ),
        pytest.param(
            "'severity=\"critical\"'",
            "''",
            [
                "platform.yaml:27: alerts.routes.0.match: a list of matchers may not be empty",
                "hint: Correct the value.",
            ],
            id="no matcher",
        ),
        pytest.param(
            "type: slack",
            "type: slak",
            [
                "platform.yaml:23: alerts.channels.chat has type 'slak'",
                "hint: Did you mean 'slack'?",
            ],
            id="unknown type of channel",
        ),
        pytest.param(
            "tier: 1\n    team",
            "tier: 7\n    team",
            [
                "platform.yaml:8: services.0.tier: input should be 1, 2 or 3, got 7",
                "hint: abops inventory schema shows what is allowed.",
            ],
            id="value out of range",
        ),
        pytest.param(
            "    kind: fastapi\n",
            "",
            [
                "platform.yaml:6: key services.0.kind is missing",
                "hint: Add it; abops inventory schema shows its form.",
            ],
            id="missing key",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_hint(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    assert 1 == GOOD.count(old), "the case must change one place"
    count, *told = mistakes(tmp_path, GOOD.replace(old, new))
    assert sorted(expected) == sorted(told)
    assert count == f"{len(expected) // 2} mistake{'s' * (len(expected) > 2)} in platform.yaml"


def test_several_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("[db]", "[bd]").replace("page: pager", "page: fax").replace("api}", "apo}")
    head, *lines = mistakes(tmp_path, text)
    assert "3 mistakes in platform.yaml" == head
    assert ["platform.yaml:12", "platform.yaml:18", "platform.yaml:25"] == [
        line.split(": ")[0] for line in lines if line.startswith("platform")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "version: 1\n", 'platform.yaml:28: found duplicate key "version"'),
        ("version: [1\nname: x", "platform.yaml:2: not YAML: "),
        ("- 1\n", "platform.yaml:1: the file must hold a map of keys"),
    ],
)
def test_what_is_not_an_inventory_at_all_names_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    (line,) = mistakes(tmp_path, text)
    assert line.startswith(expected)


def test_a_missing_file_is_told_by_the_command_without_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("abops"), "inventory", "check", tmp_path / "no.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 1 == done.returncode
    assert (
        f"error: {tmp_path}/no.yaml does not exist\n"
        "  hint: Name the file, or run in the folder that holds it.\n"
    ) == done.stderr


def test_words_that_older_yaml_took_for_booleans_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(GOOD.replace("region: here", "region: off"))
    assert "off" == load_inventory(path).environments["local"].region


def test_braces_and_quotes_are_optional_as_in_alertmanager() -> None:
    expected = (Matcher("severity", "=", "critical"), Matcher("service", "=~", "api|bot"))
    assert expected == parse_matchers('{severity=critical, service=~"api|bot",}')


@given(st.text(max_size=30))
def test_any_value_of_a_matcher_reads_back(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert (Matcher("label", "=", value),) == parse_matchers(f'label="{quoted}"')


OPTIONAL = "optional:\n  - {name: search, kind: opensearch, tier: 2, team: dev, TOLD}\nqueues:"


def with_optional(told: str) -> str:
    return GOOD.replace("queues:", OPTIONAL.replace("TOLD", told))


def test_a_part_that_not_every_place_has_is_no_part_of_all(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(with_optional("told_by: db-exporter"))
    inventory = load_inventory(path)
    assert ["search"] == [part.name for part in inventory.optional]
    assert "search" not in {part.name for part in inventory.parts}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("port: 9200", "either it tells `metrics` of its own, or another part (`told_by`)"),
        (
            "told_by: db-exporter, port: 1, metrics: {interval: 5s}",
            "either it tells `metrics` of its own, or another part (`told_by`)",
        ),
        ("metrics: {interval: 5s}", "a part with metrics of its own needs a port"),
        ("port: 8000, metrics: {interval: 5s}", "port 8000 is already the port of 'api'"),
        ("told_by: api", "'api', which tells of 'search', is not under platform"),
        ("told_by: db-exporter, depends_on: [d]", "'search' depends on 'd', which does not exist"),
    ],
)
def test_an_optional_part_is_told_by_somebody(tmp_path: Path, told: str, expected: str) -> None:
    assert expected in "\n".join(mistakes(tmp_path, with_optional(told)))


def test_an_optional_parts_team_and_name_are_checked(tmp_path: Path) -> None:
    text = with_optional("told_by: db-exporter")
    found = mistakes(tmp_path, text.replace("name: search", "name: api"))
    assert "'api' is already the name of a part" in "\n".join(found)
    found = mistakes(tmp_path, text.replace("tier: 2, team: dev, told", "tier: 2, team: ops, told"))
    assert "'search' belongs to team 'ops'" in "\n".join(found)
