"""The weekly letter: on Monday at eight, once, also when the mail server was away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from msgspec.structs import replace

from abops.alerts.model import ServiceConfig
from abops.alerts.service import AlertService
from abops.alerts.service.letters import Letters
from support.alerts import PROMPT, a_body, a_routing, an_alert, endpoints_of, told
from support.channels import Channels
from support.clocks import SetClock
from support.servers import free_port

SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@asynccontextmanager
async def at(
    moment: datetime, channels: Channels, folder: Path, *, tz: str = "UTC", **endpoints: int
) -> AsyncIterator[tuple[SetClock, AlertService, Letters]]:
    clock = SetClock(moment)
    config = ServiceConfig(
        env="local",
        routing=replace(a_routing(), summaries=("mail",), tz=tz),
        data_dir=folder,
        endpoints=replace(endpoints_of(channels), **endpoints),
        settings=PROMPT,
        name="demo",
    )
    service = AlertService(config, clock)
    await service.start()
    try:
        yield clock, service, service._letters  # noqa: SLF001 - looks once a minute by itself
    finally:
        await service.stop()


def letters(channels: Channels, week: str) -> list[dict[str, Any]]:
    found = httpx2.get(f"{channels.url('inbox')}/_received").json()
    return [m for m in found if f"weekly.{week}.demo" in str(m)]


async def test_the_letter_goes_out_once_on_monday_with_figures_and_both_forms(
    channels: Channels, tmp_path: Path
) -> None:
    async with at(SUNDAY, channels, tmp_path) as (clock, service, weekly):
        alert = an_alert("ApiErrorStorm", severity="warning")
        alert["startsAt"] = SUNDAY.isoformat()
        await service.ingest(a_body(alert))
        await told(service, 1)
        before = await weekly.look()
        clock.set(MONDAY)
        sent, again = await weekly.look(), await weekly.look()
    assert ((), ("mail",), ()) == (before, sent, again)
    found = letters(channels, "2026-W48")
    assert 1 == len(found)
    assert "demo: 1 incident, 2026-11-16 to 2026-11-23" in str(found)
    assert "week before" in str(found)


async def test_a_restart_does_not_send_it_again_and_a_refusal_is_tried_again(
    channels: Channels, tmp_path: Path
) -> None:
    a_week = timedelta(days=7)
    away = {"smtp_port": free_port()}
    async with at(SUNDAY + a_week, channels, tmp_path, **away) as (clock, _, weekly):
        await weekly.look()
        clock.set(MONDAY + a_week)
        refused = await weekly.look()
    async with at(MONDAY + a_week + timedelta(hours=2), channels, tmp_path) as (_, _, weekly):
        sent = await weekly.look()
    async with at(MONDAY + a_week + timedelta(hours=3), channels, tmp_path) as (_, _, weekly):
        again = await weekly.look()
    assert () == refused
    assert () == again
    assert sent in {(), ("mail",)}  # the service looks at its start as well
    assert 1 == len(letters(channels, "2026-W49"))


async def test_a_first_start_on_a_monday_has_nothing_to_tell(
    channels: Channels, tmp_path: Path
) -> None:
    two_weeks = timedelta(days=14)
    async with at(MONDAY + two_weeks + timedelta(hours=1), channels, tmp_path) as (_, _, weekly):
        found = (await weekly.look(), await weekly.look())
    assert ((), ()) == found
    assert [] == letters(channels, "2026-W50")


async def test_monday_at_eight_is_that_of_the_platforms_people(
    channels: Channels, tmp_path: Path
) -> None:
    async with at(SUNDAY, channels, tmp_path, tz="America/New_York") as (clock, _, weekly):
        await weekly.look()
        clock.set(MONDAY)
        too_early = await weekly.look()
        clock.set(MONDAY + timedelta(hours=5))
        assert ((), ("mail",)) == (too_early, await weekly.look())
