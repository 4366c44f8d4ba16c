"""Silences stand in a real Alertmanager as well, and only for what it pages by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from abops.alerts.route.matcher import parse_matchers
from abops.alerts.route.mirror import direct_matchers, mirrored
from abops.alerts.route.silence import Quiet
from abops.alerts.route.window import Schedule
from abops.alerts.service import AlertService
from abops.clients.alertmanager import Alertmanager
from abops.clients.silences import ListedSilence, Silences
from abops.kernel.clock import SystemClock
from abops.stack.tools import find_tool
from support.alerts import a_service, eventually
from support.channels import Channels
from support.servers import answers, free_port, running

DAY_S = 86_400.0


@contextmanager
def an_alertmanager(folder: Path, port: int) -> Iterator[str]:
    """Run one with a memory of its own; give its address."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "alertmanager.yml"
    config.write_text(yaml.safe_dump({"route": {"receiver": "r"}, "receivers": [{"name": "r"}]}))
    argv: list[str | Path] = [find_tool("alertmanager"), f"--config.file={config}"]
    argv += [f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    argv += ["--cluster.listen-address="]
    url = f"http://127.0.0.1:{port}"
    with running(argv, port=port, log=folder / "log", ready=lambda: answers(f"{url}/-/ready")):
        yield url


async def silence(service: AlertService, matchers: str = 'service="api"') -> int:
    end = SystemClock().now().timestamp() + 3_600
    return await service.silence(matchers, ends_at=end, reason="we know", by="ana")


async def standing(url: str, count: int) -> list[ListedSilence]:
    """Wait for so many silences of ours."""
    client = Silences(url)

    async def so() -> bool:
        return len(client.listed("abops")) == count

    await eventually(so, what=f"{count} silences in Alertmanager")
    found = client.listed("abops")
    client.close()
    return found


async def active(url: str) -> set[str]:
    client = Alertmanager(url)
    found = {
        alert.labels.get("origin") or alert.labels["alertname"]
        for alert in await client.alerts()
        if alert.active
    }
    await client.close()
    return found


async def fire(url: str, *labels: dict[str, str]) -> None:
    client, now = Alertmanager(url), SystemClock().now()
    for each in labels:
        await client.put(each, {}, starts_at=now, ends_at=now + timedelta(minutes=5))
    await client.close()


async def test_what_alertmanager_pages_by_itself_is_silent_and_nothing_else(
    channels: Channels, tmp_path: Path
) -> None:
    direct = {"alertname": "DirectPage", "severity": "critical", "origin": "ApiDown"}
    with an_alertmanager(tmp_path / "am", free_port()) as url:
        async with a_service(channels, tmp_path / "data", alertmanager_url=url) as service:
            number = await silence(service)
            await standing(url, 1)
            await fire(
                url,
                {**direct, "service": "api"},
                {**direct, "origin": "BotDown", "service": "bot"},
                {**direct, "origin": "Break-in", "service": "api", "category": "security"},
                {"alertname": "ApiDown", "severity": "critical", "service": "api"},
            )

            async def so() -> bool:
                return {"BotDown", "Break-in", "ApiDown"} == await active(url)

            await eventually(so, what="only the copy silent, the alert itself on its way to us")
            await service.unsilence(number, by="ana")
            await standing(url, 0)


async def test_it_is_the_same_after_a_restart_of_either_and_somebodys_hand(
    channels: Channels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abops.alerts.service.mirroring.COMPARE_EVERY_S", 0.5)
    port = free_port()
    with an_alertmanager(tmp_path / "am", port) as url:
        async with a_service(channels, tmp_path / "data", alertmanager_url=url) as service:
            await silence(service)
            (first,) = await standing(url, 1)
        async with a_service(channels, tmp_path / "data", alertmanager_url=url) as service:
            await silence(service, 'service="bot"')
            both = await standing(url, 2)
            assert first.id in {one.id for one in both}  # it was not made again
            client = Silences(url)
            client.end(first.id)
            client.close()
            again = await standing(url, 2)
            assert first.id not in {one.id for one in again}
    with an_alertmanager(tmp_path / "empty", port) as url:
        async with a_service(channels, tmp_path / "data", alertmanager_url=url):
            await standing(url, 2)


async def test_a_silence_of_somebody_else_is_left_alone(channels: Channels, tmp_path: Path) -> None:
    now = SystemClock().now()
    with an_alertmanager(tmp_path / "am", free_port()) as url:
        client = Silences(url)
        client.all_but(("A",), since=now, until=now + timedelta(hours=1))
        async with a_service(channels, tmp_path / "data", alertmanager_url=url) as service:
            await silence(service)
            await standing(url, 1)
            assert 1 == len(client.listed("abops demo"))
        client.close()


def test_a_window_is_known_there_a_day_before_it_opens() -> None:
    monday = 1_795_392_000.0  # 2026-11-23 00:00 UTC
    schedule = Schedule(("tue",), "02:00", "2h")
    window = Quiet("window 1", "weekly", parse_matchers('service="api"'), schedule=schedule)
    opens = monday + DAY_S + 2 * 3_600
    assert {} == mirrored([window], monday)
    (early,) = mirrored([window], opens - 3_600).values()
    (late,) = mirrored([window], opens + 7_199).values()
    assert (opens, opens + 7_200) == (early.starts_at, early.ends_at)
    assert early == late
    assert {} == mirrored([window], opens + 7_200)


@pytest.mark.parametrize(
    ("ours", "there"),
    [
        ('service="api"', 'alertname="DirectPage",service="api",category!="security"'),
        ('alertname="ApiDown"', 'alertname="DirectPage",origin="ApiDown"'),
        ('alertname=~"Api.*"', 'alertname="DirectPage",origin=~"Api.*",category!="security"'),
        ('category="security"', 'alertname="DirectPage",category="security"'),
    ],
)
def test_matchers_are_those_of_the_copies(ours: str, there: str) -> None:
    assert parse_matchers(there) == direct_matchers(parse_matchers(ours))
