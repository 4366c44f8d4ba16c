"""Ours and Sloth's burn-rate alerts over the same histories: who fires when, and why not.

promtool evaluates both rule sets at once. At each moment three alerts are asked, for pages and for
tickets: ours, ours without the floor of bad events, Sloth's. Where ours differs from Sloth's but
ours without the floor does not, the floor is the reason. Pages may differ by one evaluation: a
limit that both reach at the same second lies between two samples. Tickets may differ by five
minutes more, for our days are sums of five-minute rates. Anything else is unexplained: exit 1.
"""

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import yaml

sys.path.insert(0, str(Path(__file__).parent))
from shapes import SHAPES, Shape

from abops.inventory.load import load_inventory
from abops.observability.rules import slo_rules
from abops.stack.tools import find_tool

ROOT = Path(__file__).parents[2]
SLO = "api-availability"
SERIES = (
    'http_server_request_duration_seconds_count{{service="api",env="local",http_route="/a",'
    'http_response_status_code="{}"}}'
)
COUNT = (
    'http_server_request_duration_seconds_count{service="api",http_route!~"/health|/ready|/metrics"'
)
FAILED = 'http_response_status_code=~"5.."'
SPEC = {
    "version": "prometheus/v1",
    "service": "api",
    "slos": [
        {
            "name": "availability",
            "objective": 99.9,
            "sli": {
                "events": {
                    "error_query": f"sum(rate({COUNT},{FAILED}}}[{{{{.window}}}}]))",
                    "total_query": f"sum(rate({COUNT}}}[{{{{.window}}}}]))",
                }
            },
            "alerting": {
                "name": "Sloth",
                "page_alert": {"labels": {"severity": "page"}},
                "ticket_alert": {"labels": {"severity": "ticket"}},
            },
        }
    ],
}
ASKED = {
    "ours": ("SLOErrorBudgetBurnFast", "SLOErrorBudgetBurnSlow"),
    "bare": ("BareFast", "BareSlow"),
}
NAMES = ("page", "ticket")
BLUR_S = 300.0
"""Our windows of days begin and end this much less sharply."""
FIRING, SILENT = "same, firing", "same, silent"
Decisions = list[dict[str, bool]]


class Compared(NamedTuple):
    """What came of one shape: when each alert first fired, and the decisions by kind."""

    name: str
    began: dict[str, str]
    counts: Counter[str]


def sloths_rules(folder: Path) -> list[dict[str, Any]]:
    """Return the groups that Sloth generates."""
    spec, out = folder / "spec.yml", folder / "sloth.yml"
    spec.write_text(yaml.safe_dump(SPEC))
    argv: list[str | Path] = [find_tool("sloth"), "generate", "-i", spec, "-o", out]
    subprocess.run(argv, check=True, capture_output=True)  # noqa: S603 - our own arguments
    groups: list[dict[str, Any]] = yaml.safe_load(out.read_text())["groups"]
    return [group for group in groups if "meta" not in group["name"]]


def our_rules(every: float) -> list[dict[str, Any]]:
    """Return our group, with alerts that know no floor beside the real ones."""
    groups = yaml.safe_load(slo_rules(load_inventory(ROOT / "platform.yaml")))["groups"]
    group = next(group for group in groups if group["name"] == f"slo-{SLO}")
    group.pop("interval")
    bare = []
    for rule in group["rules"]:
        # Sums of rates count events when they are evaluated every 30 s; here it is more rarely.
        rule["expr"] = re.sub(r"\* 30$", f"* {every:g}", rule["expr"])
        if "Burn" in rule.get("alert", ""):
            name = "Bare" + rule["alert"].removeprefix("SLOErrorBudgetBurn")
            expr = re.sub(r" and slo:bad_events:\w+\{[^}]*\} >= \d+", "", rule["expr"])
            bare.append({"alert": name, "expr": expr, "labels": rule["labels"]})
    group["rules"] += bare
    return [group]


def written(values: list[float | None]) -> str:
    """Return samples in promtool's notation."""
    return " ".join("_" if value is None else f"{value:.6g}" for value in values)


def asked() -> str:
    """Return one expression whose bits are the answers to all questions."""
    alerts = [f'alertname="{name}"' for pair in ASKED.values() for name in pair]
    alerts += [f'alertname="Sloth",severity="{severity}"' for severity in NAMES]
    bits = [
        f'{2**bit} * (count(ALERTS{{{alert},alertstate="firing"}}) > bool 0 or vector(0))'
        for bit, alert in enumerate(alerts)
    ]
    return " + ".join(bits)


def decisions(shape: Shape, groups: list[dict[str, Any]], folder: Path) -> Decisions:
    """Return what each alert did at each evaluation after the calm start."""
    good, bad = shape.series()
    moments = [shape.calm + n * shape.every for n in range(1, int(shape.lasts / shape.every) + 1)]
    test = {
        "interval": f"{shape.step:g}s",
        "input_series": [
            {"series": SERIES.format(200), "values": written(good)},
            {"series": SERIES.format(503), "values": written(bad)},
            {"series": 'up{env="local"}', "values": f"1x{len(good)}"},
        ],
        "promql_expr_test": [
            # -1 is never right: promtool then prints what it got.
            {"expr": asked(), "eval_time": f"{at:g}s", "exp_samples": [{"labels": "", "value": -1}]}
            for at in moments
        ],
    }
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}, width=2000))
    every = f"{shape.every:g}s"
    document = {"rule_files": ["rules.yml"], "evaluation_interval": every, "tests": [test]}
    (folder / "test.yml").write_text(yaml.safe_dump(document, width=2000))
    argv: list[str | Path] = [find_tool("promtool"), "test", "rules", "test.yml"]
    said = subprocess.run(  # noqa: S603 - our own arguments
        argv, cwd=folder, capture_output=True, text=True, check=False
    )
    got = re.findall(r"got: *\{\} (\S+)", said.stdout + said.stderr)
    if len(got) != len(moments):
        raise SystemExit(f"{shape.name}: {said.stdout}{said.stderr}"[:2000])
    keys = [f"{who} {name}" for who in ("ours", "bare", "sloth") for name in NAMES]
    return [{key: bool(int(float(bits)) >> n & 1) for n, key in enumerate(keys)} for bits in got]


def judged(found: Decisions, name: str, every: float) -> Counter[str]:
    """Count the moments by whether ours agrees with Sloth's, and why not."""
    counts: Counter[str] = Counter()
    calm = dict.fromkeys(found[0], False)
    late = 1 + (math.ceil(BLUR_S / every) if name == "ticket" else 0)
    for index, one in enumerate(found):
        ours, bare, theirs = (one[f"{who} {name}"] for who in ("ours", "bare", "sloth"))
        near = found[max(index - late, 0) : index + late + 1] + [calm] * (index < late)
        if ours == theirs:
            counts[FIRING if ours else SILENT] += 1
        elif bare == theirs:
            counts["floor"] += 1
        elif any(other[f"sloth {name}"] == ours for other in near):
            counts["timing"] += 1
        else:
            counts["unexplained"] += 1
    return counts


def first(found: Decisions, key: str, every: float) -> str:
    """Return when an alert first fired."""
    for index, one in enumerate(found, start=1):
        if one[key]:
            return f"{index * every / 60:g} min"
    return "-"


def compared(folder: Path) -> list[Compared]:
    """Return the comparison of every shape."""
    theirs = sloths_rules(folder)
    rows = []
    for shape in SHAPES:
        found = decisions(shape, our_rules(shape.every) + theirs, folder)
        counts = sum((judged(found, name, shape.every) for name in NAMES), Counter[str]())
        began = {
            f"{who} {name}": first(found, f"{who} {name}", shape.every)
            for who in ("ours", "sloth")
            for name in NAMES
        }
        rows.append(Compared(shape.name, began, counts))
    return rows


def table(rows: list[Compared]) -> str:
    """Return the comparison as Markdown, with the sums below."""
    lines = [
        "| shape | page: ours, Sloth | ticket: ours, Sloth | same | floor | timing | unexplained |",
        "|---|---|---|---|---|---|---|",
    ]
    total: Counter[str] = Counter()
    for row in rows:
        total += row.counts
        whens = [f"{row.began[f'ours {n}']}, {row.began[f'sloth {n}']}" for n in NAMES]
        counts = [row.counts[key] for key in ("floor", "timing", "unexplained")]
        same = row.counts[FIRING] + row.counts[SILENT]
        lines.append(f"| {' | '.join(map(str, [row.name, *whens, same, *counts]))} |")
    said = (
        f"{len(rows)} shapes, {sum(total.values())} decisions: {total[FIRING] + total[SILENT]}"
        f" the same ({total[FIRING]} firing), {total['floor']} differ by the floor of bad events,"
        f" {total['timing']} by when, {total['unexplained']} unexplained."
    )
    return "\n".join([*lines, "", said])


def main() -> int:
    """Compare, print, and return 1 if something is unexplained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", choices=["table", "json"], default="table")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="abops-slo-") as folder:
        rows = compared(Path(folder))
    if chosen.output == "json":
        document = [{"shape": r.name, "began": r.began, "decisions": r.counts} for r in rows]
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write(table(rows) + "\n")
    return 1 if any(row.counts["unexplained"] for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
