"""The lint over the committed rules and boards, with what the contracts know."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from msgspec import Struct

from abops.inventory.model import Inventory
from abops.observability.lint.model import Facts, Finding, Subject
from abops.observability.lint.panels import panel_findings, panel_subjects
from abops.observability.lint.run import constants, lint, recorded_labels, rule_subjects
from abops.observability.lint.schema import schema_findings
from abops.observability.targets import PROBE_INTERVAL, PROBES, jobs
from abops.workflows.contracts import contracts

RULES: Final = Path("infrastructure/monitoring/prometheus/rules")
BOARDS: Final = Path("infrastructure/monitoring/grafana/dashboards")

SCHEMA: Final = Path("tests/rules/dashboard.schema.json")


class Judged(Struct, frozen=True):
    """What was looked at, and what was found."""

    expressions: int
    panels: int
    boards: int
    findings: tuple[Finding, ...]


def judge(inventory: Inventory, root: Path) -> Judged:
    """Return what the lint says of the rules and boards below `root`."""
    rules = [
        subject
        for path in sorted((root / RULES).glob("*.yml"))
        for subject in rule_subjects(str(path.relative_to(root)), _yaml(path))
    ]
    boards = {
        str(path.relative_to(root)): json.loads(path.read_text())
        for path in sorted((root / BOARDS).glob("*.json"))
    }
    queries = [one for file, board in boards.items() for one in panel_subjects(file, board)]
    bare = Facts(contracts(root), {}, _intervals(inventory))
    facts = Facts(bare.contracts, recorded_labels(rules, bare), bare.intervals, constants(rules))
    subjects: list[Subject] = [*rules, *queries]
    findings = [*lint(subjects, facts)]
    for file, board in boards.items():
        findings += panel_findings(file, board)
    findings += schema_findings(json.loads((root / SCHEMA).read_text()), boards)
    return Judged(len(subjects), len(queries), len(boards), tuple(findings))


def _intervals(inventory: Inventory) -> Mapping[str, timedelta]:
    return {job.name: job.interval for job in jobs(inventory)} | {PROBES: PROBE_INTERVAL}


def _yaml(path: Path) -> Any:  # noqa: ANN401 - a rule file
    return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
