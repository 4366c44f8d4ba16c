"""Silences and windows of the service: alerts are kept and grouped, and told at the end."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from abops.alerts.model import Level, Policy, ServiceConfig
from abops.alerts.route.window import Schedule
from abops.alerts.service import AlertService
from abops.alerts.service.hush import SilenceError, SilenceUnknownError
from abops.kernel.clock import SystemClock
from support.alerts import (
    PROMPT,
    a_body,
    a_routing,
    a_service,
    an_alert,
    endpoints_of,
    eventually,
    told,
)
from support.channels import Channels


def now() -> float:
    return SystemClock().now().timestamp()


async def opened(service: AlertService, count: int) -> None:
    async def enough() -> bool:
        return len(await service.incidents()) == count

    await eventually(enough, what=f"{count} incidents")


async def test_a_silenced_alert_is_kept_and_told_when_the_silence_ends(
    channels: Channels, tmp_path: Path
) -> None:
    routing = replace(a_routing(), escalation=Policy((Level("dev", 0), Level("dev", 60))))
    service = AlertService(
        ServiceConfig("local", routing, tmp_path, endpoints_of(channels), settings=PROMPT)
    )
    await service.start()
    try:
        end = now() + 3
        await service.silence('service="api"', ends_at=end, reason="deploy", by="ana")
        await service.ingest(a_body(an_alert()))
        await opened(service, 1)
        detail = await service.incident(1)
        assert ((), (), 1) == (detail.deliveries, detail.summary.channels, detail.summary.firing)
        assert "nobody is told, silence 1: deploy" in detail.timeline[0].text
        assert () == await service.pages(1)
        detail = await told(service, 1, ("pd", "open"), ("chat", "open"))
        pages = await service.pages(1)
    finally:
        await service.stop()
    assert any("no longer silenced, 1 alert still firing" in e.text for e in detail.timeline)
    assert end <= pages[0].at < end + 2  # the escalation counts from the end of the silence


async def test_ending_a_silence_early_tells_at_once(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        number = await service.silence(
            'alertname="Down"', ends_at=now() + 3_600, reason="known", by="ana"
        )
        await service.ingest(a_body(an_alert("Down")))
        await opened(service, 1)
        assert [number] == [row.id for row in await service.silences()]
        await service.unsilence(number, by="ana")
        await told(service, 1, ("pd", "open"))
        assert () == await service.silences()
        with pytest.raises(SilenceUnknownError):
            await service.unsilence(number, by="ana")


async def test_a_silence_is_there_after_a_restart(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.silence('service="api"', ends_at=now() + 3_600, reason="deploy", by="ana")
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert()))
        await opened(service, 1)
        assert () == (await service.incident(1)).deliveries


async def test_what_is_not_silenced_is_told(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.silence('service="api"', ends_at=now() + 3_600, reason="deploy", by="ana")
        await service.ingest(a_body(an_alert("Leak", category="security")))
        await told(service, 1, ("pd", "open"))


async def test_an_open_window_silences_a_closed_one_does_not(
    channels: Channels, tmp_path: Path
) -> None:
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    always = Schedule(days=days, at="00:00", lasts="1d")
    async with a_service(channels, tmp_path) as service:
        await service.window(
            "later",
            'service="bot"',
            reason="upgrade",
            by="ana",
            starts_at=now() + 3_600,
            ends_at=now() + 7_200,
        )
        await service.window("nightly", 'service="api"', reason="backup", by="ana", schedule=always)
        assert ["later", "nightly"] == [row.name for row in await service.windows()]
        await service.ingest(a_body(an_alert(env="one"), an_alert(service="bot", env="two")))
        await opened(service, 2)
        quiet, loud = sorted(await service.incidents(), key=lambda incident: incident.service)
        await told(service, loud.number, ("pd", "open"))
        assert ("api", ()) == (quiet.service, quiet.channels)
        await service.end_window(2, by="ana")
        await told(service, quiet.number, ("pd", "open"))


@pytest.mark.parametrize(
    ("matchers", "reason", "hours"),
    [("", "x", 1), ('a="b"', " ", 1), ('a="b"', "x", 169), ('a="b"', "x", -1)],
)
async def test_what_cannot_be_kept_is_refused(
    channels: Channels, tmp_path: Path, matchers: str, reason: str, hours: float
) -> None:
    async with a_service(channels, tmp_path) as service:
        with pytest.raises(SilenceError):
            await service.silence(matchers, ends_at=now() + hours * 3600, reason=reason, by="ana")
        assert () == await service.silences()
