"""promtool tests from the catalogue's cases.

promtool evaluates every rule of a file in every test, so each alert gets a file of its own
with its one rule. Labels and annotations that the rule gives every alert are filled in here;
a case names only what its series decide.
"""

import re
from typing import Any, Final

import yaml

from abops.inventory.model import Inventory
from abops.kernel.quantities import format_duration
from abops.observability.catalogue.alert import Alert, Case, Fired
from abops.observability.catalogue.recording import Recording, RecordingCase, Sample
from abops.observability.catalogue.recordings import recordings
from abops.observability.rules import catalogue, interval, rule

_LABEL = re.compile(r"{{ \$labels\.(\w+) }}")
_DECIMALS: Final = 4


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


def recording_files(inventory: Inventory) -> dict[str, str]:
    """Return rule files and test files of the recorded series that have cases, by name.

    A recording is tested alone: its cases give what other recordings would have made.
    """
    files: dict[str, str] = {}
    step = format_duration(interval("recordings"))
    for recording in recordings(inventory):
        if not recording.cases:
            continue
        name = recording.record.replace(":", ".")
        written = {"record": recording.record, "expr": recording.expr}
        rules = {"groups": [{"name": name, "interval": step, "rules": [written]}]}
        tests = {
            "rule_files": [f"{name}.rules.yml"],
            "evaluation_interval": step,
            "tests": [_recorded(recording, case) for case in recording.cases],
        }
        files[f"{name}.rules.yml"] = yaml.safe_dump(rules, sort_keys=False, width=120)
        files[f"{name}.test.yml"] = yaml.safe_dump(tests, sort_keys=False, width=120)
    return files


def _recorded(recording: Recording, case: RecordingCase) -> dict[str, Any]:
    """Return one case; values are rounded, because promtool compares every bit of them."""
    return {
        "name": f"{recording.record}: {case.name}",
        "interval": format_duration(recording.step),
        "input_series": [
            {"series": series, "values": values} for series, values in case.series.items()
        ],
        "promql_expr_test": [
            {
                "expr": f"round({recording.record}, {10**-_DECIMALS:.{_DECIMALS}f})",
                "eval_time": format_duration(case.at),
                "exp_samples": [
                    {"labels": _selector(sample), "value": round(sample.value, _DECIMALS)}
                    for sample in case.samples
                ],
            }
        ],
    }


def _selector(sample: Sample) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
    return f"{{{inside}}}"


def _fill(text: str, labels: dict[str, str]) -> str:
    """Do what Prometheus does with the label templates of the catalogue."""
    text = _LABEL.sub(lambda found: labels.get(found[1], ""), text)
    return text.replace("{{ $externalURL }}", "")
