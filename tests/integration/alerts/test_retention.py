"""What is old is let go of in small batches, what is open never, and its room is used again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from abops.alerts.service import AlertService
from abops.alerts.store import retention as rows
from support.alerts import PROMPT, a_body, a_service, an_alert, eventually, over, told
from support.channels import Channels
from support.clocks import SetClock
from support.keep import settled, unrelated

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LONE = replace(PROMPT, heartbeat_timeout_s=1e12)
"""Time jumps here, and no Watchdog is heard in between."""
TABLES = ("event", "incident", "member", "alert", "timeline", "outbox", "page", "label")


def at(alert: dict[str, Any], moment: datetime) -> dict[str, Any]:
    """Return the alert as if it had begun then."""
    return {**alert, "startsAt": moment.isoformat()}


async def counts(service: AlertService) -> dict[str, int]:
    def count(connection: Any) -> dict[str, int]:  # noqa: ANN401 - the store's own
        return {
            table: int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608 - the tables named above
            for table in TABLES
        }

    return await service._vault.read(count)  # noqa: SLF001 - what is not shown has to be counted


async def resolved(service: AlertService, number: int) -> None:
    async def is_over() -> bool:
        return (await service.incident(number)).summary.state == "resolved"

    await eventually(is_over, what=f"INC-{number} resolved")


async def lived(service: AlertService, clock: SetClock, n: int, begun: datetime) -> None:
    """Have an incident come and go."""
    clock.set(begun)
    alert = at(unrelated(n), begun)
    await service.ingest(a_body(alert))
    await told(service, n, ("pd", "open"))
    await service.ingest(a_body(over(alert) | {"endsAt": clock.now().isoformat()}))
    await resolved(service, n)


async def test_events_go_after_90_days_and_incidents_after_two_years(
    channels: Channels, tmp_path: Path
) -> None:
    clock = SetClock(NOW)
    async with a_service(channels, tmp_path, clock=clock, settings=LONE) as service:
        await lived(service, clock, 1, NOW - 731 * DAY)
        await lived(service, clock, 2, NOW - 91 * DAY)
        await lived(service, clock, 3, NOW - 2 * DAY)
        clock.set(NOW)
        before = await counts(service)
        deleted = await service._upkeep.retaining.look()  # noqa: SLF001 - looks once an hour
        after = await counts(service)
        numbers = [incident.number for incident in await service.incidents()]
        again = await service._upkeep.retaining.look()  # noqa: SLF001 - the same
        metrics = (await service.metrics()).decode()
    assert (6, 2) == (before["event"], after["event"])
    assert [3, 2] == numbers
    assert (3, 2) == (before["member"], after["member"])
    assert (3, 2) == (before["alert"], after["alert"])
    assert after["timeline"] < before["timeline"]
    assert after["outbox"] < before["outbox"]
    assert (4, 1) == (deleted["event"], deleted["incident"])
    assert {} == again
    assert 'abops_retention_deleted_total{table="event"} 4.0' in metrics


async def test_what_is_open_is_kept_however_old(channels: Channels, tmp_path: Path) -> None:
    clock = SetClock(NOW - 800 * DAY)
    async with a_service(channels, tmp_path, clock=clock, settings=LONE) as service:
        await service.ingest(a_body(at(unrelated(1), clock.now())))
        await told(service, 1, ("pd", "open"))
        await lived(service, clock, 2, NOW - 790 * DAY)
        await lived(service, clock, 3, NOW)
        await service._upkeep.retaining.look()  # noqa: SLF001 - looks once an hour
        after = await counts(service)
        numbers = {incident.number for incident in await service.incidents()}
        events = await service._vault.read(  # noqa: SLF001 - what was said is shown nowhere
            lambda c: c.exec_driver_sql("SELECT count(*) FROM event WHERE id = 1").scalar_one()
        )
    assert ({1, 3}, 1) == (numbers, events)
    assert 2 == after["alert"]


async def test_numbers_go_on_when_all_is_old(channels: Channels, tmp_path: Path) -> None:
    clock = SetClock(NOW - 800 * DAY)
    async with a_service(channels, tmp_path, clock=clock, settings=LONE) as service:
        await lived(service, clock, 1, NOW - 800 * DAY)
        clock.set(NOW)
        await service._upkeep.retaining.look()  # noqa: SLF001 - looks once an hour
    async with a_service(channels, tmp_path, clock=clock, settings=LONE) as service:
        await service.ingest(a_body(at(unrelated(2), NOW)))
        detail = await told(service, 2, ("pd", "open"))
    assert 2 == detail.summary.number


async def test_the_room_of_what_is_gone_is_used_again(
    channels: Channels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abops.alerts.service.retaining.PAUSE_S", 0.0)
    clock = SetClock(NOW - 100 * DAY)

    async def flood(service: AlertService, first: int) -> int:
        """Have many alerts come and go within one service; return how large the store is."""
        alerts = [
            at(an_alert(f"Kind{first + n}", severity="info", note="x" * 500), clock.now())
            for n in range(3_000)
        ]
        await service.ingest(a_body(*alerts))
        await settled(service, 3_000)
        return int(
            await service._vault.read(  # noqa: SLF001 - the file's pages in use or free
                lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one()
            )
        )

    async with a_service(channels, tmp_path, clock=clock, settings=LONE) as service:
        first = await flood(service, 0)
        number = (await service.incidents())[0].number
        await service.resolve(number, by="ana")
        for incident in await service.incidents(state="open"):
            await service.resolve(incident.number, by="ana")
        clock.set(NOW)
        deleted = await service._upkeep.retaining.look()  # noqa: SLF001 - looks once an hour
        free = await service._vault.read(  # noqa: SLF001 - the file's free pages
            lambda c: c.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        )
        assert deleted["event"] == 2_999
        assert free > first / 10
        second = await flood(service, 10_000)
    grown = second - first
    assert grown < first - free  # the second flood took the room of the first one's events


async def test_a_batch_is_small(channels: Channels, tmp_path: Path) -> None:
    clock = SetClock(NOW - 100 * DAY)
    async with a_service(channels, tmp_path, clock=clock, settings=LONE) as service:
        alerts = [at(an_alert(f"Kind{n}", severity="info"), clock.now()) for n in range(1_200)]
        await service.ingest(a_body(*alerts))
        await settled(service, 1_200)
        for incident in await service.incidents(state="open"):
            await service.resolve(incident.number, by="ana")
        last = await service._vault.read(  # noqa: SLF001 - what a batch is made of
            lambda c: rows.last_event_before(c, NOW.timestamp())
        )
        batch = await service._vault.read(  # noqa: SLF001 - the same
            lambda c: rows.old_events(c, 0, last)
        )
    assert (1_200, rows.ROWS) == (last, len(batch))
