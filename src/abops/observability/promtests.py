"""promtool tests from the catalogue's cases.

promtool evaluates every rule of a file in every test, so each alert gets a file of its own
with its one rule. Labels and annotations that the rule gives every alert are filled in here;
a case names only what its series decide.
"""

import re
from typing import Any

import yaml

from abops.inventory.model import Inventory
from abops.kernel.quantities import format_duration
from abops.observability.catalogue.alert import Alert, Case, Fired
from abops.observability.rules import catalogue, interval, rule

_LABEL = re.compile(r"{{ \$labels\.(\w+) }}")


def promtool_files(inventory: Inventory) -> dict[str, str]:
    """Return rule files and test files by name; `*.test.yml` are the tests."""
    files: dict[str, str] = {}
    for alert in catalogue(inventory):
        step = format_duration(alert.step or interval(alert.group))
        name = f"{alert.name}-{alert.instance}" if alert.instance else alert.name
        rules = {"groups": [{"name": name, "interval": step, "rules": [rule(alert, inventory)]}]}
        tests = {
            "rule_files": [f"{name}.rules.yml"],
            "evaluation_interval": step,
            "tests": [_test(alert, case, step, inventory) for case in alert.cases],
        }
        files[f"{name}.rules.yml"] = yaml.safe_dump(rules, sort_keys=False, width=120)
        files[f"{name}.test.yml"] = yaml.safe_dump(tests, sort_keys=False, width=120)
    return files


def _test(alert: Alert, case: Case, step: str, inventory: Inventory) -> dict[str, Any]:
    return {
        "name": f"{alert.name}: {case.name}",
        "interval": step,
        "input_series": [
            {"series": series, "values": values} for series, values in case.series.items()
        ],
        "alert_rule_test": [
            {
                "eval_time": format_duration(case.at),
                "alertname": alert.name,
                "exp_alerts": [_expected(alert, fired, inventory) for fired in case.fires],
            }
        ],
    }


def _expected(alert: Alert, fired: Fired, inventory: Inventory) -> dict[str, Any]:
    """Return the whole alert: promtool compares every label and annotation."""
    written = rule(alert, inventory)
    labels = {**fired.labels, **written["labels"]}
    texts = {name: _fill(text, labels) for name, text in written["annotations"].items()}
    return {"exp_labels": labels, "exp_annotations": {**texts, "summary": fired.summary}}


def _fill(text: str, labels: dict[str, str]) -> str:
    """Do what Prometheus does with the label templates of the catalogue."""
    text = _LABEL.sub(lambda found: labels.get(found[1], ""), text)
    return text.replace("{{ $externalURL }}", "")
