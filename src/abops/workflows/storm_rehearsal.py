"""A storm rehearsed: thousands of alerts into a service of its own, and what people got of it.

A node takes its pods down, what calls them fails, and everything says so. The service and the
channel servers are real and temporary; only the clock of the service runs faster, while calls to
the channels keep their true pace. Afterwards each channel is asked what it received and whether
a limit of its provider was broken.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from msgspec import Struct

from abops.alerts.model import Routing, ServiceConfig, ServiceSettings, Storm
from abops.alerts.route.oncall import on_call
from abops.alerts.service import AlertService
from abops.clients.loopback import Loopback
from abops.kernel.clock import Clock, HurriedClock, SystemClock
from abops.stack.rehearsal import Rehearsal, channel_servers

PAGES_AT_MOST: Final = 3
LASTS_S: Final = 60.0
A_BODY: Final = 50
_ASKED: Final = ("slack", "pagerduty", "telegram")
_END_WITHIN_S: Final = 600.0
"""Simulated: three quiet minutes, and some."""
_SETTLE_S: Final = 3.0
_NODES: Final = 12
_KINDS: Final = (
    ("PodNotReady", "warning"),
    ("HighErrorRate", "warning"),
    ("HighLatency", "warning"),
    ("TargetDown", "warning"),
    ("QueueBacklog", "info"),
    ("ProbeFailed", "critical"),
    ("NodeNotReady", "critical"),
    ("DatabasePoolExhausted", "critical"),
)
_OFTEN: Final = (30, 25, 20, 12, 6, 5, 1, 1)
_SERVICES: Final = ("api", "bot", "worker", "beat", "postgres", "redis", "jaeger", "prometheus")


class Heard(Struct, frozen=True):
    """One message that a channel took."""

    channel: str
    action: str
    after_s: float
    """Seconds since the first alert, true ones."""
    text: str
    to: str = ""
    """Who got it: the people on call whose key it is, or the channel that everybody reads."""


class Outcome(Struct, frozen=True):
    """What became of the storm."""

    alerts: int
    stored: int
    incidents: int
    storm: Storm | None
    heard: tuple[Heard, ...]
    pages: int
    limits_broken: tuple[str, ...]
    seconds: float

    def faults(self) -> tuple[str, ...]:
        """Return what is not as it should be."""
        storm = self.storm
        found = []
        if self.stored != self.alerts:
            found.append(f"{self.stored:,} of {self.alerts:,} alerts are in incidents")
        if not 1 <= self.pages <= PAGES_AT_MOST:
            found.append(f"{self.pages} pages, at most {PAGES_AT_MOST}")
        if self.limits_broken:
            found.append(f"{len(self.limits_broken)} limits broken: {self.limits_broken[0]}")
        if storm is None or storm.ended_at is None:
            found.append("no storm began" if storm is None else "the storm did not end")
        elif storm.digested + storm.paged_alone != storm.alerts:
            found.append(f"{storm.alerts:,} alerts of the storm are not all accounted for")
        return tuple(found)


def rehearse_storm(
    routing: Routing, *, alerts: int, speed: float, report: Callable[[str], None]
) -> Outcome:
    """Let `alerts` come within a simulated minute; raises ChannelsLateError."""
    with (
        TemporaryDirectory(prefix="abops-storm-") as folder,
        channel_servers(Path(folder)) as channels,
    ):
        return asyncio.run(
            _rehearse(routing, channels, Path(folder), alerts=alerts, speed=speed, report=report)
        )


async def _rehearse(  # noqa: PLR0913 - all of it is what the rehearsal is
    routing: Routing,
    channels: Rehearsal,
    folder: Path,
    *,
    alerts: int,
    speed: float,
    report: Callable[[str], None],
) -> Outcome:
    clock = HurriedClock(speed)
    settings = ServiceSettings(heartbeat_timeout_s=1e9)
    config = ServiceConfig("local", routing, folder / "data", channels.endpoints, settings)
    service = AlertService(config, clock)
    await service.start()
    begun, began_at = time.monotonic(), SystemClock().now().timestamp()
    try:
        await _flood(service, clock, alerts, LASTS_S / speed)
        report(f"{alerts:,} alerts stored in {time.monotonic() - begun:.1f} s")
        storm = await _end_of_storm(service, speed)
        await asyncio.sleep(_SETTLE_S)
        incidents = await service.incidents(limit=10_000)
    finally:
        await service.stop()
    heard, broken = await asyncio.to_thread(_ask, channels, began_at, readers_of(routing, clock))
    return Outcome(
        alerts=alerts,
        stored=sum(i.alerts for i in incidents if i.merged_into is None),
        incidents=sum(i.merged_into is None for i in incidents),
        storm=storm,
        heard=heard,
        pages=sum(one.channel == "pagerduty" and one.action == "trigger" for one in heard),
        limits_broken=broken,
        seconds=time.monotonic() - begun,
    )


async def _flood(service: AlertService, clock: Clock, alerts: int, over_s: float) -> None:
    """Send the alerts evenly over a time."""
    draw = random.Random(7)  # noqa: S311 - the same flood each time
    begun = time.monotonic()
    for start in range(0, alerts, A_BODY):
        await asyncio.sleep(max(0.0, begun + over_s * start / alerts - time.monotonic()))
        part = range(start, min(start + A_BODY, alerts))
        await service.ingest(_body([_alert(n, draw, clock) for n in part]))


def _alert(number: int, draw: random.Random, clock: Clock) -> dict[str, Any]:
    (name, severity), service = draw.choices(_KINDS, _OFTEN)[0], draw.choice(_SERVICES)
    labels = {
        "alertname": name,
        "severity": severity,
        "service": service,
        "env": "local",
        "node": f"node-{draw.randrange(_NODES)}",
        "pod": f"{service}-{number}",
    }
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": f"{name} of {labels['pod']} on {labels['node']}"},
        "startsAt": clock.now().isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
    }


def _body(alerts: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps({"version": "4", "status": "firing", "alerts": alerts}).encode()


async def _end_of_storm(service: AlertService, speed: float) -> Storm | None:
    """Wait until every storm is over; return the largest."""
    deadline = time.monotonic() + _END_WITHIN_S / speed
    while True:
        storms = await service.storms()
        over = bool(storms) and all(storm.ended_at is not None for storm in storms)
        if over or time.monotonic() > deadline:
            return max(storms, key=lambda s: s.alerts, default=None)
        await asyncio.sleep(0.1)


def readers_of(routing: Routing, clock: Clock) -> dict[str, str]:
    """Return by key or address who is behind it: who is on call there, or the channel itself."""
    now = clock.now()
    found = {c.address: f"{c.type} {c.address}" for c in routing.channels.values() if c.address}
    for channel in (c for c in routing.channels.values() if c.type == "pagerduty"):
        people = [
            f"{on_call(team.oncall, now)} ({team.name})" if team.oncall else team.name
            for team in routing.teams.values()
            if team.page == channel.name
        ]
        found[channel.secret_file] = ", ".join(people) or channel.name
    return found


def received_by(heard: Sequence[Heard]) -> dict[str, dict[str, int]]:
    """Count by whom what they got: each call of their channel."""
    counts: dict[str, dict[str, int]] = {}
    for one in heard:
        of_one = counts.setdefault(one.to, {})
        of_one[one.action] = of_one.get(one.action, 0) + 1
    return counts


def _ask(
    channels: Rehearsal, begun: float, readers: Mapping[str, str]
) -> tuple[tuple[Heard, ...], tuple[str, ...]]:
    """Ask each channel what it received, and what its provider would have refused."""
    heard: list[Heard] = []
    broken: list[str] = []
    for part in _ASKED:
        server = Loopback(channels.urls[part])
        try:
            heard += [_heard(record, begun, readers) for record in server.get("/_received")]
            broken += [
                f"{part}: {record['rule']}: {record['detail']}"
                for record in server.get("/_violations")
            ]
        finally:
            server.close()
    return tuple(sorted(heard, key=lambda one: one.after_s)), tuple(broken)


def _heard(record: dict[str, Any], begun: float, readers: Mapping[str, str]) -> Heard:
    payload = record["payload"]
    text = str(payload.get("text") or record["summary"])
    where = str(payload.get("integration") or record["destination"])
    after_s = record["received_epoch_s"] - begun
    return Heard(record["channel"], record["action"], after_s, text, readers.get(where, where))
