"""Which alert each fault raises, after how many seconds, and what else fired without reason.

Every switch of the workload that an alert must notice, and every part that can be stopped, on the
running local stack with the rules of production. A fault counts when one of its alerts fires in
time; any alert that the fault does not explain counts against it.

    python benchmarks/faults/run.py [--only NAME ...] [--output table|json]
"""

import argparse
import json
import sys
import time
from typing import NamedTuple

from abops.clients.loopback import LoopbackError
from abops.clients.prometheus import Prometheus
from abops.kernel.clock import SystemClock
from abops.workflows.demo_faults import Fault, Injector, StopPart, Switch
from abops.workflows.demo_setting import set_the_scene

LONGER_THAN_ANY_S = 900.0
SETTLE_S = 5.0
ECHOES_FOR_S = 900.0
"""Ratios look back up to ten minutes, and some alerts hold five: so long after it was mended a
fault may still be told of, and again when a later one takes away the good events beside the bad."""
SETTLES_WITHIN_S = 480.0
"""Ratios look back five minutes: an alert ends when its fault has left the window."""
API = (
    "ApiErrorStorm",
    "ApiHighErrorRatio",
    "ApiUnhandledExceptions",
    "ApiTrafficDrop",
    "Api4xxSpike",
)
BURN = ("SLOErrorBudgetBurnFast", "SLOErrorBudgetBurnSlow", "SLOErrorBudgetExhausted")
"""A budget is spent by every fault that people feel."""
LATE = (
    "WorkerPostsOverdue",
    "WorkerQueueGrowing",
    "WorkerQueueWait",
    "WorkerQueueStuck",
    "WorkerQueueDepth",
)
SLOW = ("SLOErrorBudgetBurnFast api-latency", "ApiLatencyP99High")
GONE = ("ProbeFailed", "TargetVanished", "TargetDown")
DATABASE = (
    "PostgresDown",
    "PostgresPoolTimeouts",
    "PostgresBlockedQueries",
    "PostgresRestarted",
    "PostgresLongTransaction",
    "PostgresConnections",
    "ExporterError",
    "ApiSaturation",
)
BOT = ("BotHandlerErrors", "BotPollingStalled", "BotUpdateLag", "ProbeFailed")
TASKS = (
    "WorkerTaskFailures",
    "WorkerRetryStorm",
    "WorkerBeatNotTicking",
    "WorkerDown",
    "WorkerChildLost",
)
HELD_BACK = ("TelegramRetryAfterHigh", "TelegramRateLimited")
"""Posts that a fault kept back go out at once when it is mended: Telegram asks for patience."""
TELEGRAM = ("TelegramRateLimited", "TelegramApiDown", "TelegramRetryAfterHigh")


class Trial(NamedTuple):
    """A fault, the alerts of which one must fire in time, and what else it explains."""

    name: str
    action: StopPart | Switch
    expected: tuple[str, ...]
    explains: tuple[str, ...]
    within_s: float


class Seen(NamedTuple):
    """What became of a trial."""

    name: str
    alert: str
    seconds: float | None
    unrelated: tuple[str, ...]


TRIALS = (
    Trial("api killed", StopPart("api", 9), GONE, (*API,), 30),
    Trial(
        "api: slow",
        Switch("latency", {"ratio": 1.0, "delay_s": 3.0}),
        SLOW,
        (*API, "ApiSaturation", "ApiLatencyP99High"),
        300,
    ),
    Trial(
        "api: one answer in five 500",
        Switch("errors", {"ratio": 0.2}),
        ("ApiHighErrorRatio",),
        API,
        240,
    ),
    Trial(
        "api: exceptions",
        Switch("exception", {"ratio": 0.3}),
        ("ApiUnhandledExceptions",),
        API,
        120,
    ),
    Trial(
        "database: table locked",
        Switch("db_locks"),
        ("PostgresBlockedQueries", "ApiErrorStorm"),
        (*API, *DATABASE, *TASKS, *BOT, "ApiLatencyP99High"),
        150,
    ),
    Trial(
        "database: pool taken",
        Switch("pool_exhaust"),
        ("PostgresPoolTimeouts", "ApiErrorStorm", "ApiSaturation"),
        (*API, *DATABASE, "ApiLatencyP99High"),
        180,
    ),
    Trial(
        "database stopped",
        StopPart("postgres"),
        ("PostgresDown",),
        (*API, *DATABASE, *GONE, *TASKS, *BOT, *LATE, *HELD_BACK),
        30,
    ),
    Trial(
        "redis stopped",
        StopPart("redis"),
        ("RedisDown",),
        (*API, *GONE, *TASKS, *BOT, *LATE, *HELD_BACK, "ExporterError", "RedisPersistenceStale"),
        30,
    ),
    Trial(
        "telegram: 429",
        Switch("telegram_429", {"ratio": 1.0}),
        ("TelegramRetryAfterHigh", "TelegramRateLimited"),
        (*TELEGRAM, *BOT, *LATE, *TASKS),
        420,
    ),
    Trial(
        "telegram away",
        Switch("telegram_down"),
        ("TelegramApiDown", "ProbeFailed", "BotPollingStalled"),
        (*TELEGRAM, *BOT, *LATE, *TASKS),
        180,
    ),
    Trial(
        "bot: polling stalls", Switch("poll_stall"), ("ProbeFailed", "BotPollingStalled"), BOT, 90
    ),
    Trial("bot killed", StopPart("bot", 9), GONE, BOT, 30),
    Trial(
        "worker killed",
        StopPart("worker", 9),
        (*GONE, "WorkerDown"),
        (*LATE, *TASKS, *HELD_BACK),
        30,
    ),
    Trial("worker takes nothing", Switch("queue_stall"), LATE, (*LATE, *TASKS, *HELD_BACK), 600),
    Trial(
        "tasks fail",
        Switch("task_fail", {"ratio": 1.0}),
        ("WorkerTaskFailures",),
        (*LATE, *TASKS, *HELD_BACK),
        480,
    ),
    Trial(
        "beat sends nothing",
        Switch("beat_stop"),
        ("WorkerBeatNotTicking",),
        (*LATE, *HELD_BACK),
        240,
    ),
    Trial("beat killed", StopPart("beat", 9), GONE, (*LATE, *TASKS, *HELD_BACK), 30),
    Trial(
        "postgres exporter killed", StopPart("postgres-exporter", 9), GONE, ("PostgresDown",), 30
    ),
    Trial("api: every answer 500", Switch("errors", {"ratio": 1.0}), ("ApiErrorStorm",), API, 30),
    Trial("machine's exporter killed", StopPart("node-exporter", 9), ("TargetDown",), (), 360),
    Trial(
        "database: slow",
        # Longer than the slowest answers that the alert on the 99th percentile still bears.
        Switch("db_slow", {"ratio": 1.0, "delay_s": 3.0}),
        SLOW,
        (*API, *DATABASE, "ApiLatencyP99High"),
        900,
    ),
)


def firing(prometheus: Prometheus) -> set[tuple[str, str]]:
    """Return name and service of each alert that fires; nothing while Prometheus is busy.

    The name of a budget's alert has its objective behind it.
    """
    try:
        return {
            (f"{alert.name} {alert.labels.get('slo', '')}".strip(), alert.service)
            for alert in prometheus.firing()
        }
    except LoopbackError:
        return set()


def run(trial: Trial, earlier: frozenset[str], prometheus: Prometheus, injector: Injector) -> Seen:
    """Break it, wait for its alert, mend it, and see what else fired.

    `earlier` is what the faults just before explain: some of their alerts come after they are
    mended.
    """
    fault = Fault(trial.name, trial.name, "", trial.expected, trial.action)
    before = firing(prometheus)
    began = time.monotonic()
    injector.inject(fault, lasting_s=LONGER_THAN_ANY_S)
    told, seconds, fired = "", None, set[tuple[str, str]]()
    while time.monotonic() - began < trial.within_s and not told:
        time.sleep(0.5)  # what is watched is a Prometheus, which tells nobody
        fired |= firing(prometheus) - before
        told = next((name for name, _ in sorted(fired) if name in trial.expected), "")
    if told:
        seconds = time.monotonic() - began
        time.sleep(SETTLE_S)
        fired |= firing(prometheus) - before
    injector.mend(fault)
    explained = {*trial.expected, *trial.explains, *BURN, *GONE, *earlier}
    unrelated = {
        f"{name} ({service})"
        for name, service in fired
        if name not in explained and name.split()[0] not in explained
    }
    return Seen(trial.name, told, seconds, tuple(sorted(unrelated)))


def settle(trial: Trial, prometheus: Prometheus) -> None:
    """Wait until no alert of the trial fires, so that one fault is not another one's alert."""
    began = time.monotonic()
    critical = {*trial.expected, *GONE, "PostgresDown", "RedisDown"}
    while time.monotonic() - began < SETTLES_WITHIN_S:
        if not {name for name, _ in firing(prometheus)} & critical:
            return
        time.sleep(1)


def main() -> int:
    """Run the trials and print; 1 when an alert is missing or one fired without reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--output", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    scene = set_the_scene(SystemClock(), report=lambda _: None)
    prometheus = scene.observers.prometheus
    found, mended = [], list[tuple[float, Trial]]()
    for trial in (t for t in TRIALS if not arguments.only or t.name in arguments.only):
        settle(trial, prometheus)
        begun = time.monotonic()
        recent = [t for at, t in mended if begun - at < ECHOES_FOR_S]
        earlier = frozenset(name for t in recent for name in (*t.expected, *t.explains))
        seen = run(trial, earlier, prometheus, scene.injector)
        mended.append((time.monotonic(), trial))
        found.append(seen)
        at = "never" if seen.seconds is None else f"{seen.seconds:.1f} s"
        print(
            f"{seen.name:28}{seen.alert:26}{at:>9}  {', '.join(seen.unrelated)}",
            file=sys.stderr,
            flush=True,
        )
    told = sum(seen.seconds is not None for seen in found)
    clean = sum(not seen.unrelated for seen in found)
    if arguments.output == "json":
        print(json.dumps([seen._asdict() for seen in found], indent=2))
    print(
        f"{told}/{len(found)} faults told in time, {clean}/{len(found)} without an unrelated alert"
    )
    return 0 if told == clean == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
