"""Seconds from a fault to the page, per channel: faults on the running local stack.

Four kinds of fault, five times each, in turns. Everything is real: processes are stopped, the
rules of production fire, and a time counts when the channel's server has the message. The
yardstick is the goal: below 30 s from the fault to PagerDuty and Slack.

    python benchmarks/alert-latency/run.py [--rounds 5] [--small] [--output table|json]
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence

from abops.kernel.clock import SystemClock
from abops.workflows.demo import Demonstration, Result
from abops.workflows.demo_faults import FAULTS
from abops.workflows.demo_setting import aftermath_silenced, set_the_scene

KINDS = ("api-killed", "api-errors", "postgres-stopped", "redis-stopped")
GOAL_S = 30.0
STEPS = ("alert", "incident", "pagerduty", "slack")


def seconds(result: Result, step: str) -> float | None:
    """Return when a step was reached, None when it never was."""
    if step == "alert":
        return result.alert_s
    return result.incident_s if step == "incident" else result.channels_s[step]


def measure(kinds: Sequence[str], rounds: int) -> list[Result]:
    """Run every kind in each round, so that no kind has the quiet hour for itself."""
    clock = SystemClock()
    scene = set_the_scene(clock, report=lambda _: None)
    demonstration = Demonstration(scene.observers, scene.injector, clock, tell=lambda *_: None)
    results = []
    with aftermath_silenced(scene, clock):
        for round_ in range(1, rounds + 1):
            for fault in (f for f in FAULTS if f.name in kinds):
                result = demonstration.run(fault, round_=round_)
                results.append(result)
                print(f"{len(results):3} {_line(result)}", file=sys.stderr, flush=True)
    return results


def _line(result: Result) -> str:
    times = {step: seconds(result, step) for step in STEPS}
    return f"{result.fault:18}" + "  ".join(
        f"{step} {'never' if at is None else f'{at:.1f} s'}" for step, at in times.items()
    )


def summary(results: Sequence[Result]) -> dict[str, dict[str, float | int]]:
    """Return per step how many arrived, the median and the slowest."""
    found: dict[str, dict[str, float | int]] = {}
    for step in STEPS:
        times = [at for r in results if (at := seconds(r, step)) is not None]
        found[step] = {
            "arrived": len(times),
            "of": len(results),
            "median_s": round(statistics.median(times), 2) if times else float("nan"),
            "max_s": round(max(times), 2) if times else float("nan"),
        }
    return found


def main() -> int:
    """Measure and print; 1 when a page is missing or later than the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="one kind, once: for CI")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    kinds, rounds = (KINDS[:1], 1) if arguments.small else (KINDS, arguments.rounds)
    results = measure(kinds, rounds)
    total = summary(results)
    if arguments.output == "json":
        faults = [
            {"fault": r.fault, "round": r.round, **{s: seconds(r, s) for s in STEPS}}
            for r in results
        ]
        print(json.dumps({"goal_s": GOAL_S, "summary": total, "faults": faults}, indent=2))
    else:
        print("step\tarrived\tof\tmedian_s\tmax_s")
        for step, figures in total.items():
            print("\t".join([step, *map(str, figures.values())]))
    pages = [seconds(r, channel) for r in results for channel in ("pagerduty", "slack")]
    return 0 if all(at is not None and at < GOAL_S for at in pages) else 1


if __name__ == "__main__":
    sys.exit(main())
