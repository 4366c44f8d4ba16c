"""A storm of 10,000 alerts in a minute: what each person and channel received, and no limit broken.

Run: python benchmarks/alerts/delivery/run.py [--small] [--texts] [--output json]

The service and the channel servers are real; the servers enforce what the providers document (60
messages a minute in a Slack channel and 50 edits, 120 events a minute for each PagerDuty key, 20
messages a minute in a Telegram group). Only the service's clock is hurried, so the calls keep
their true pace. The peer is one message for each alert, by the same limits.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from abops.alerts.route.from_inventory import routing_of
from abops.inventory.load import load_inventory
from abops.workflows.storm_rehearsal import (
    PAGES_AT_MOST,
    Heard,
    Outcome,
    received_by,
    rehearse_storm,
)

ROOT = Path(__file__).parents[3]
SPEED = 6.0
ALERTS, SMALL = 10_000, 1_500
SLACK_A_MINUTE = 60


def figures(outcome: Outcome) -> dict[str, object]:
    """Return what is claimed, with counts."""
    storm = outcome.storm
    return {
        "alerts": outcome.alerts,
        "stored": outcome.stored,
        "incidents": outcome.incidents,
        "pages": outcome.pages,
        "limits_broken": len(outcome.limits_broken),
        "digested": storm.digested if storm else 0,
        "told_alone": storm.paged_alone if storm else 0,
        "messages": len(outcome.heard),
        "one_message_each_would_take_min": round(outcome.alerts / SLACK_A_MINUTE),
        "seconds": round(outcome.seconds, 1),
        "passed": not outcome.faults(),
    }


def by_person(heard: Sequence[Heard]) -> dict[str, dict[str, object]]:
    """Return by whom how much they got, and what it said, each text once."""
    texts: dict[str, list[str]] = {}
    for one in heard:
        first = one.text.partition("\n")[0]
        if first not in texts.setdefault(one.to, []):
            texts[one.to].append(first)
    counts = received_by(heard)
    return {
        who: {"received": sum(calls.values()), "by_call": calls, "texts": texts[who]}
        for who, calls in counts.items()
    }


def main() -> int:
    """Run it; 1 when a limit was broken, a page too many sent, or an alert not accounted for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--small", action="store_true", help="1,500 alerts.")
    parser.add_argument("--texts", action="store_true", help="Print what everybody read.")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    given = parser.parse_args()
    outcome = rehearse_storm(
        routing_of(load_inventory(ROOT / "platform.yaml")),
        alerts=SMALL if given.small else ALERTS,
        speed=SPEED,
        report=lambda line: print(line, file=sys.stderr),
    )
    found, people = figures(outcome), by_person(outcome.heard)
    if given.output == "json":
        print(json.dumps(found | {"people": people}, indent=2))
    else:
        print(*(f"{name:34} {value}" for name, value in found.items()), sep="\n")
        for who, got in people.items():
            print(f"{who}: {got['received']}  {got['by_call']}")
            print(*(f"    {text}" for text in got["texts"] if given.texts), sep="\n", end="")
        print(f"goal: at most {PAGES_AT_MOST} pages, no limit broken, every alert accounted for")
        print(*outcome.faults(), sep="\n")
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
