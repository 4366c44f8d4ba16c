"""How long `abops --help` keeps a person waiting: CPU milliseconds, median of 20.

Beside it: the bare interpreter, and the same command when every group is loaded.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

GOAL_MS = 150
ABOPS = Path(sys.executable).parent / "abops"
CASES = {
    "bare interpreter": [sys.executable, "-c", "pass"],
    "abops --help": [ABOPS, "--help"],
    "abops stack --help": [ABOPS, "stack", "--help"],
}


def cpu_ms(argv: list[str | Path]) -> float:
    """Run `argv` once and return its user and system time in milliseconds."""
    before = os.times()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own commands
    after = os.times()
    spent = after.children_user - before.children_user
    return 1000 * (spent + after.children_system - before.children_system)


def main() -> None:
    """Print the table, or one JSON document; exit 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--small", action="store_true", help="five runs")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    args = parser.parse_args()
    runs = 5 if args.small else args.runs
    medians = {
        name: statistics.median(cpu_ms(argv) for _ in range(runs)) for name, argv in CASES.items()
    }
    if args.output == "json":
        print(json.dumps({"runs": runs, "goal_ms": GOAL_MS, "cpu_ms": medians}))
    else:
        for name, value in medians.items():
            print(f"{name:20} {value:6.0f} ms CPU, median of {runs}")
        print(f"goal for abops --help: {GOAL_MS} ms")
    sys.exit(medians["abops --help"] > GOAL_MS)


if __name__ == "__main__":
    main()
