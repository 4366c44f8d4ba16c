"""One fault on the running stack: how many alerts, how many incidents, which cause is named.

Each fault lasts 150 s, as long as a call between services bridges; then it is mended and the
stack settles until nothing fires. Run it on a stack of its own: `abops stack up` first. The
peer is one incident for each service, counted over the same alerts.

    python benchmarks/alerts/live/run.py [--only NAME ...] [--output table|json]
"""

import argparse
import json
import sys
import time
from typing import Final, NamedTuple

from abops.clients.alerts_api import AlertsApi
from abops.kernel.clock import SystemClock
from abops.workflows.demo_faults import Fault, Injector, StopPart, Switch
from abops.workflows.demo_setting import set_the_scene

LASTS_S: Final = 150.0
SETTLES_WITHIN_S: Final = 600.0
MOST: Final = 1_000


class Trial(NamedTuple):
    """A fault, and the parts that may be named as its cause."""

    name: str
    action: StopPart | Switch
    causes: tuple[str, ...]


TRIALS: Final = (
    Trial("database stopped", StopPart("postgres"), ("postgres",)),
    Trial("redis stopped", StopPart("redis"), ("redis",)),
    Trial("telegram away", Switch("telegram_down"), ("telegram",)),
    Trial("api: every answer 500", Switch("errors", {"ratio": 1.0}), ("api",)),
    Trial("worker killed", StopPart("worker", 9), ("worker",)),
)


class Seen(NamedTuple):
    """What one fault made of itself."""

    fault: str
    alerts: int
    by_service: int
    """Incidents there would be with one for each service."""
    incidents: int
    cause: str
    right: bool


def run(trial: Trial, api: AlertsApi, injector: Injector) -> Seen:
    """Break it, wait, and look at what people would have in front of them; then mend it."""
    fault = Fault(trial.name, trial.name, "", (), trial.action)
    before = {incident["number"] for incident in api.incidents(limit=MOST)}
    injector.inject(fault, lasting_s=LASTS_S)
    time.sleep(LASTS_S)
    new = [i for i in api.incidents(limit=MOST) if i["number"] not in before]
    whole = [incident for incident in new if incident["merged_into"] is None]
    members = [m for i in whole for m in api.incident(i["number"])["members"]]
    injector.mend(fault)
    largest = max(whole, key=lambda i: i["alerts"], default={"cause": ""})
    return Seen(
        trial.name,
        len(members),
        len({member["alert"]["service"] for member in members}),
        len(whole),
        str(largest["cause"]),
        largest["cause"] in trial.causes,
    )


def settle(api: AlertsApi) -> None:
    """Wait until no incident is open: what one fault leaves would be counted to the next."""
    deadline = time.monotonic() + SETTLES_WITHIN_S
    while time.monotonic() < deadline:
        unresolved = [i for i in api.incidents(limit=MOST) if i["state"] != "resolved"]
        if not unresolved:
            return
        time.sleep(2)


def main() -> int:
    """Run the trials and print; 1 when a fault made no incident, or a wrong cause was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--output", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    scene = set_the_scene(SystemClock(), report=lambda _: None)
    api = scene.observers.incidents
    found = list[Seen]()
    for trial in (t for t in TRIALS if not arguments.only or t.name in arguments.only):
        settle(api)
        seen = run(trial, api, scene.injector)
        found.append(seen)
        print(" ".join(f"{name}={value}" for name, value in seen._asdict().items()), flush=True)
    if arguments.output == "json":
        print(json.dumps([seen._asdict() for seen in found], indent=2))
    alerts, peers = sum(s.alerts for s in found), sum(s.by_service for s in found)
    ours, right = sum(s.incidents for s in found), sum(s.right for s in found)
    print(
        f"{len(found)} faults: {alerts} alerts, {peers} incidents by service, {ours} incidents; "
        f"the cause is right in {right}/{len(found)}"
    )
    return 0 if right == len(found) and all(seen.incidents for seen in found) else 1


if __name__ == "__main__":
    sys.exit(main())
