"""What goes wrong with backups, played: what was found, how fast, and what was lost.

Run: python benchmarks/backup/faults/run.py [--small] [--only WORD] [--output json]

Each scene injects one fault into a database of its own, with two encrypted regions over TLS, and
claims what must come of it. Lost counts acknowledged things that are not there afterwards: rows,
segments of log, states of a table. What tests show already is run as those tests. `--small`: 20
segments while a region is gone, instead of 100. Filling disks needs root; without it those cases
are not played, and their row is not shown.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).parent)]

from catalogue import ROWS, Regions, Scene, Shown, a_folder, catalogue  # noqa: E402 - as above

from support.backup import start_regions  # noqa: E402 - as above
from support.faults.told import NotPlayedError  # noqa: E402 - as above

Row = dict[str, object]
Report = Callable[[Row], None]


def play(scene: Scene, regions: Regions) -> Row:
    """Play one scene; what fails is a line of the table, not the end."""
    for region in regions.values():
        region.ensure()
    began = time.monotonic()
    line: Row = {"row": scene.row, "case": scene.name}
    try:
        told = scene.play(regions)
    except NotPlayedError as reason:
        return line | {"outcome": "not played", "detected": str(reason)}
    except (AssertionError, OSError, subprocess.SubprocessError, LookupError) as error:
        words = f"{type(error).__name__}: {error}".strip().splitlines()
        took = round(time.monotonic() - began, 1)
        return line | {"outcome": "failed", "detected": " ".join(words)[:400], "took_s": took}
    return line | {
        "outcome": "shown" if told.lost == 0 else "lost",
        "injected": told.injected,
        "detected": told.detected,
        "seconds": round(told.seconds, 1),
        "lost": told.lost,
        "counted": told.counted,
        "more": told.more,
        "took_s": round(time.monotonic() - began, 1),
    }


def run_tests(cases: Sequence[Shown]) -> list[Row]:
    """Run the tests that show the other cases, and tell how each came out."""
    if not cases:
        return []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # Not the settings of a call around this one: one process, in order.
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", f"--junitxml={report}"]
        subprocess.run(  # noqa: S603 - our own tests
            [*words, *dict.fromkeys(one.node for one in cases)],
            check=False,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        found = ET.parse(report).iter("testcase") if report.exists() else ()  # noqa: S314 - ours
        tests = {f"{one.get('classname')}.{one.get('name')}": one for one in found}
    return [_told(case, tests) for case in cases]


def _told(case: Shown, tests: dict[str, ET.Element]) -> Row:
    path, _, name = case.node.partition("::")
    key = ".".join([path.removesuffix(".py").replace("/", "."), *([name] if name else [])])
    mine = [
        one for full, one in tests.items() if full == key or full.startswith((f"{key}[", key + "."))
    ]
    bad = [one for test in mine for one in test if one.tag in {"failure", "error", "skipped"}]
    seconds = sum(float(one.get("time") or 0) for one in mine)
    why = "; ".join((one.get("message") or one.tag)[:200] for one in bad)
    shown = bool(mine) and not bad
    return {
        "row": case.row,
        "case": case.name,
        "outcome": "shown" if shown else "failed",
        "detected": why or (f"{Path(path).name}::{name}".rstrip(":") if mine else "no such test"),
        "took_s": round(seconds, 1),
    }


def print_table(rows: Sequence[Row]) -> None:
    """Print a line for each case, grouped by the catalogue's rows."""
    for number, title in ROWS.items():
        if all(one["row"] != number for one in rows):
            continue
        print(f"\n{number}. {title}")
        for one in (one for one in rows if one["row"] == number):
            lost = f", lost {one['lost']} of {one['counted']}" if "lost" in one else ""
            after = f" after {one['seconds']} s" if "seconds" in one else ""
            print(f"   {one['case']}: {one['outcome']}{lost} ({one.get('took_s', 0)} s)")
            for label in ("injected", "detected", "more"):
                if one.get(label):
                    print(f"      {label}{after if label == 'detected' else ''}: {one[label]}")


def main() -> None:
    """Play everything, print the table, exit 1 when something was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="20 segments, not 100")
    parser.add_argument("--only", default="", help="cases whose row or name holds this word")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    options = parser.parse_args()
    cases = [
        one
        for one in catalogue(20 if options.small else 100)
        if options.only in f"{one.row}. {ROWS[one.row]} {one.name}"
    ]
    folder = a_folder()
    rows: list[Row] = []
    try:
        with start_regions(folder, "eu", "us") as regions:
            for number, case in enumerate(cases, 1):
                if isinstance(case, Scene):
                    rows.append(play(case, regions))
                    told = f"{number} of {len(cases)}: {case.name}: {rows[-1]['outcome']}"
                    print(told, file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows += run_tests([one for one in cases if isinstance(one, Shown)])
    finish(rows, options.output)


def finish(rows: Sequence[Row], output: str) -> None:
    """Print what came of it; exit 1 when a case is not shown."""
    whole = {one["row"] for one in rows} - {one["row"] for one in rows if one["outcome"] != "shown"}
    lost = sum(int(str(one.get("lost", 0))) for one in rows)
    counted = sum(int(str(one.get("counted", 0))) for one in rows)
    cases = sum(one["outcome"] == "shown" for one in rows)
    if output == "json":
        print(json.dumps(list(rows), indent=2))
    else:
        print_table(rows)
        total = len({one["row"] for one in rows})
        print(f"\n{len(whole)} of {total} rows, {cases} of {len(rows)} cases shown; ", end="")
        print(f"lost {lost} of {counted} acknowledged")
    sys.exit(0 if cases == len(rows) else 1)


if __name__ == "__main__":
    main()
