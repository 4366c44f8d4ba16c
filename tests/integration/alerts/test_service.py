"""The service's promises about what it is sent, who it watches and what it tells."""

import asyncio
from pathlib import Path

import pytest

from abops.alerts.ingest.webhook import MalformedBodyError
from abops.alerts.model import IngestResult, ServiceSettings
from abops.alerts.service.vault import OverloadedError
from support.alert_stores import in_store, locked
from support.alerts import a_body, a_service, an_alert, eventually, over
from support.channels import Channels


async def test_twins_repeats_and_retries_are_stored_once(
    channels: Channels, tmp_path: Path
) -> None:
    alert = an_alert()
    twin = {**alert, "labels": {**alert["labels"], "prometheus_replica": "b"}}
    async with a_service(channels, tmp_path) as service:
        results = [await service.ingest(a_body(a)) for a in (alert, alert, twin)]
        both = await service.ingest(a_body(alert, an_alert("B"), twin))

        async def two_alerts() -> bool:
            return [2] == [incident.alerts for incident in await service.incidents()]

        await eventually(two_alerts, what="one incident of two alerts")
    assert [(1, 0), (0, 1), (0, 1)] == [(r.accepted, r.duplicates) for r in results]
    assert IngestResult(accepted=1, duplicates=2, rejected=0) == both


async def test_many_at_once_get_numbers_of_their_own(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        alerts = [
            an_alert(f"Kind{n}", severity="info", service=f"s-{n}", env=f"e-{n}") for n in range(50)
        ]
        await asyncio.gather(*(service.ingest(a_body(alert)) for alert in alerts))

        async def all_there() -> bool:
            return len(await service.incidents()) == 50

        await eventually(all_there, what="50 incidents")
        found = await service.incidents()
    assert list(range(50, 0, -1)) == [incident.number for incident in found]


async def test_what_cannot_be_read_is_kept(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        with pytest.raises(MalformedBodyError):
            await service.ingest(b"{nope")
        await service.ingest(a_body(an_alert(), {"status": "firing"}))
        metrics = (await service.metrics()).decode()
    kept = in_store(tmp_path, "SELECT position, content FROM rejected ORDER BY id")
    assert [(1, b"{nope"), (1, b'{"status": "firing"}')] == kept
    assert 'abops_alerts_received_total{result="rejected",source="alertmanager"} 2.0' in metrics


async def test_a_locked_store_answers_later_and_is_well_again(
    channels: Channels, tmp_path: Path
) -> None:
    settings = ServiceSettings(stall_limit_s=0.3)
    async with a_service(channels, tmp_path, settings=settings) as service:
        await service.ingest(a_body(an_alert()))
        with locked(tmp_path):
            waiting = asyncio.create_task(service.ingest(a_body(an_alert("B"))))

            async def red() -> bool:
                return not service.readiness().ready

            await eventually(red, what="readiness red")
            with pytest.raises(OverloadedError, match="a commit has been running"):
                await service.ingest(a_body(an_alert("C")))
        assert 1 == (await waiting).accepted

        async def green() -> bool:
            return service.readiness().ready

        await eventually(green, what="readiness green")


async def test_too_many_waiting_are_answered_later(channels: Channels, tmp_path: Path) -> None:
    settings = ServiceSettings(queue_limit=10, stall_limit_s=60)
    async with a_service(channels, tmp_path, settings=settings) as service:
        with locked(tmp_path):
            bodies = [a_body(*(an_alert(f"A{n}-{i}") for i in range(11))) for n in range(3)]
            tasks = [asyncio.create_task(service.ingest(body)) for body in bodies]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            assert ["wait to be stored"] == [
                "wait to be stored" for task in done if "wait to be stored" in str(task.exception())
            ][:1]
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(r.accepted for r in results if isinstance(r, IngestResult)) in (11, 22)


async def test_silence_of_the_watchdog_is_an_incident_until_it_is_back(
    channels: Channels, tmp_path: Path
) -> None:
    settings = ServiceSettings(heartbeat_timeout_s=0.5, resolve_after_s=0.2)
    async with a_service(channels, tmp_path, settings=settings) as service:

        async def opened() -> bool:
            return [("alertmanager", "critical")] == [
                (i.service, i.severity) for i in await service.incidents(state="open")
            ]

        await eventually(opened, what="DeadMansSwitch opens an incident")
        incident = await service.incident(1)
        assert "DeadMansSwitch" == incident.members[0].alert.name

        async def resolved() -> bool:
            await service.heartbeat(b"{}")
            return "resolved" == (await service.incident(1)).summary.state

        await eventually(resolved, what="it resolves")


async def test_subscribers_hear_what_happens(channels: Channels, tmp_path: Path) -> None:
    alert = an_alert(severity="info")
    async with a_service(channels, tmp_path) as service, service.subscribe() as events:
        await service.ingest(a_body(alert))
        await service.ingest(a_body(over(alert)))
        kinds: list[str] = []
        async with asyncio.timeout(10):
            async for event in events:
                kinds.append(event.kind)
                if event.kind == "resolved":
                    break
    assert "opened" == kinds[0]
    assert {"opened", "updated", "delivered", "resolved"} == set(kinds) - {"suspected"}


async def test_after_a_stop_everything_goes_on(channels: Channels, tmp_path: Path) -> None:
    alert = an_alert(severity="info")
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(alert))
    async with a_service(channels, tmp_path) as service:
        assert 1 == (await service.ingest(a_body(alert))).duplicates
        await service.ingest(a_body(over(alert)))

        async def resolved() -> bool:
            return ["resolved"] == [i.state for i in await service.incidents()]

        await eventually(resolved, what="the incident resolves")


async def test_metrics_are_there_before_anything_happens(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        text = (await service.metrics()).decode()
    for severity in ("critical", "warning", "info"):
        assert f'abops_outbox_oldest_seconds{{severity="{severity}"}} 0.0' in text
        assert f'abops_incidents_open{{severity="{severity}"}} 0.0' in text
    for name in ("dead_letters_total 0.0", "duplicate_pages_total 0.0", "heartbeat_age_seconds"):
        assert f"abops_{name}" in text


async def test_an_acknowledgement_is_timed_once(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert("A", severity="info")))
        await service.ack(1, by="ana")
        await service.ack(1, by="ben")
        text = (await service.metrics()).decode()

    assert "abops_incidents_acknowledge_seconds_count 1.0" in text


async def test_who_stops_waiting_does_not_stop_the_service(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        gone = asyncio.create_task(service.ingest(a_body(an_alert("A", severity="info"))))
        acking = asyncio.create_task(service.ack(1, by="ana"))
        await asyncio.sleep(0)
        gone.cancel()
        acking.cancel()
        await asyncio.gather(gone, acking, return_exceptions=True)
        async with asyncio.timeout(5):
            assert 1 == (await service.ingest(a_body(an_alert("B", severity="info")))).accepted
