"""Floods: few messages, every alert counted in them, and nothing told twice after a restart."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from abops.alerts.model import Routing, ServiceConfig, ServiceSettings, Storm
from abops.alerts.service import AlertService
from abops.kernel.clock import SystemClock
from support.alert_stores import in_store
from support.alerts import a_body, a_routing, an_alert, endpoints_of, eventually
from support.channels import Channels

SPEED = 20.0
MARKS = ("🌪", "🌤")
A_MINUTE_S = 60 / SPEED
CALM = ServiceSettings(heartbeat_timeout_s=1e9, resolve_after_s=1e6)


class Hurried:
    """A clock of days that pass quickly; what is paced by channels goes by true seconds."""

    def __init__(self) -> None:
        self._begun = SystemClock().now()

    def now(self) -> datetime:
        elapsed = SystemClock().now() - self._begun
        return self._begun + elapsed * SPEED

    def monotonic(self) -> float:
        return time.monotonic()


@asynccontextmanager
async def a_hurried_service(
    channels: Channels, folder: Path, routing: Routing, clock: Hurried
) -> AsyncIterator[AlertService]:
    config = ServiceConfig("local", routing, folder, endpoints_of(channels), CALM)
    service = AlertService(config, clock)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def the_flood(clock: Hurried, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return alerts of 12 services, 4 kinds each, one in ten critical."""
    at = clock.now().isoformat()
    return [
        an_alert(
            f"Kind{n % 4}",
            severity="critical" if n % 10 == 3 else "warning",
            service=f"service-{n % 12}",
            pod=f"pod-{n}",
        )
        | {"startsAt": at}
        for n in numbers
    ]


async def flood(service: AlertService, clock: Hurried, numbers: range, over_s: float) -> None:
    """Send alerts evenly over a time, 25 a body."""
    begun, bodies = time.monotonic(), range(numbers.start, numbers.stop, 25)
    for count, start in enumerate(bodies):
        await asyncio.sleep(max(0.0, begun + over_s * count / len(bodies) - time.monotonic()))
        part = range(start, min(start + 25, numbers.stop))
        await service.ingest(a_body(*the_flood(clock, part)))


def pages(channels: Channels) -> list[str]:
    """Return the key of each event that rang."""
    return [r["destination"] for r in channels.received("pagerduty") if r["action"] == "trigger"]


def said_in_slack(channels: Channels, routing: Routing) -> list[str]:
    where = routing.channels["chat"].address
    return [
        record["payload"]["text"]
        for record in channels.received("slack")
        if record["destination"] == where and record["action"] == "chat.postMessage"
    ]


def counted_in(texts: Sequence[str]) -> list[int]:
    """Return the alerts that each message of a storm counts."""
    found = [re.search(r"([\d,]+) (?:more )?alerts", t) for t in texts if t.startswith(MARKS)]
    return [int(match[1].replace(",", "")) for match in found if match]


def violations(channels: Channels) -> list[dict[str, Any]]:
    return [v for part in ("slack", "pagerduty", "telegram") for v in channels.violations(part)]


async def is_over(service: AlertService) -> Storm:
    async def over() -> bool:
        found = await service.storms()
        return bool(found) and all(storm.ended_at for storm in found)

    await eventually(over, what="the storm's end", timeout_s=60)
    return (await service.storms())[0]


async def test_three_thousand_alerts_are_three_pages_at_most_and_each_is_counted(
    channels: Channels, tmp_path: Path
) -> None:
    clock, routing = Hurried(), a_routing()
    before = len(violations(channels))
    async with a_hurried_service(channels, tmp_path, routing, clock) as service:
        await flood(service, clock, range(3_000), A_MINUTE_S)
        storm = await is_over(service)
        incidents = await service.incidents()

        async def all_told() -> bool:
            return any(text.startswith(MARKS[1]) for text in said_in_slack(channels, routing))

        await eventually(all_told, what="the end is told", timeout_s=60)
        number = storm.incident
        await service.ingest(a_body(an_alert("DiskFull", service="disk", severity="warning")))

        async def another() -> bool:
            return any(i.service == "disk" for i in await service.incidents())

        await eventually(another, what="an incident of its own after the storm")
    rung = pages(channels)
    assert 1 <= len(rung) <= 3
    assert before == len(violations(channels))
    assert 3_000 == sum(i.alerts for i in incidents if i.merged_into is None)
    assert 3_000 == storm.alerts == storm.digested + storm.paged_alone
    assert 1 <= len(storm.samples) <= 10
    counted = counted_in(said_in_slack(channels, routing))
    assert 3_000 == sum(counted), counted
    assert {"storm"} == {i.shape for i in incidents if i.number == number}


async def test_a_restart_in_a_storm_loses_nothing_and_pages_nobody_again(
    channels: Channels, tmp_path: Path
) -> None:
    clock, routing = Hurried(), a_routing()
    async with a_hurried_service(channels, tmp_path, routing, clock) as service:
        await flood(service, clock, range(1_000), A_MINUTE_S / 2)

        async def told() -> bool:
            return bool(counted_in(said_in_slack(channels, routing)))

        await eventually(told, what="the storm is told", timeout_s=60)
    rung = pages(channels)
    ((stored,),) = in_store(tmp_path, "SELECT count(*) FROM event")
    async with a_hurried_service(channels, tmp_path, routing, clock) as service:
        running = await service.storms()
        await flood(service, clock, range(1_000, 2_000), A_MINUTE_S / 2)
        storm = await is_over(service)

        async def told_of_the_end() -> bool:
            return any(t.startswith(MARKS[1]) for t in said_in_slack(channels, routing))

        await eventually(told_of_the_end, what="the end is told", timeout_s=60)
    assert 1_000 == stored
    assert [None] == [s.ended_at for s in running]
    assert rung == pages(channels)
    assert 2_000 == storm.alerts
    assert 2_000 == sum(counted_in(said_in_slack(channels, routing)))
