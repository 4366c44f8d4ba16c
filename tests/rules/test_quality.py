"""The committed rules and boards against the lint, the contracts and Grafana's types."""

import json
import shutil
from pathlib import Path

import pytest

from abops.inventory.load import load_inventory
from abops.workflows.contracts import contracts
from abops.workflows.quality import BOARDS, RULES, SCHEMA, judge

ROOT = Path(__file__).parents[2]
INVENTORY = load_inventory(ROOT / "platform.yaml")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A root with the committed rules, boards, contracts and schema."""
    for folder in (RULES, BOARDS, SCHEMA.parent / "contracts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / SCHEMA, tmp_path / SCHEMA)
    return tmp_path


def test_nothing_is_found_in_what_is_committed() -> None:
    assert () == judge(INVENTORY, ROOT).findings


def test_a_misspelt_metric_in_a_rule_is_found(copy: Path) -> None:
    file = copy / RULES / "recording.yml"
    file.write_text(file.read_text().replace("auth_failures_total", "auth_failure_total"))

    (finding,) = judge(INVENTORY, copy).findings

    assert ("metric-unknown", "service:auth_failures:rate5m") == (finding.check, finding.name)
    assert "the nearest is auth_failures_total" in finding.reason


def test_a_metric_that_its_exporter_lost_is_found(copy: Path) -> None:
    (file,) = (copy / "tests/rules/contracts").glob("redis-exporter@1*.txt")
    file.write_text(file.read_text().replace("redis_up ", "redis_is_up "))

    found = {finding.name for finding in judge(INVENTORY, copy).findings}

    assert "RedisDown" in found


def test_a_panel_without_a_unit_is_found(copy: Path) -> None:
    file = copy / BOARDS / "api.json"
    board = json.loads(file.read_text())
    panel = next(one for one in board["panels"] if one["type"] == "stat")
    del panel["fieldConfig"]["defaults"]["unit"]
    file.write_text(json.dumps(board))

    assert ["panel-unit"] == [finding.check for finding in judge(INVENTORY, copy).findings]


def test_every_contract_can_be_read_and_says_its_job() -> None:
    known = contracts(ROOT)

    assert all(contract.job and contract.metrics for contract in known)
    assert {"postgres", "redis", "node", "probes", "analyticbot-api", "abops-alerts"} <= {
        contract.job for contract in known if contract.source == "recorded"
    }
