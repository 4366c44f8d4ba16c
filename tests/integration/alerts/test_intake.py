"""Alerts from others than Alertmanager, changes, and what people do with an incident."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from abops.alerts.service import AlertService
from abops.entry.web.app import create_app
from abops.kernel.clock import SystemClock
from support.alert_stores import in_store
from support.alerts import a_body, a_service, an_alert, endpoints_of, eventually, told
from support.api import listening
from support.channels import Channels

LABELS = {"alertname": "DiskFull", "service": "api", "severity": "warning", "env": "local"}


@asynccontextmanager
async def served(
    channels: Channels, folder: Path
) -> AsyncIterator[tuple[AlertService, httpx2.AsyncClient]]:
    secrets = folder / "secrets"
    secrets.mkdir(exist_ok=True)
    for secret in (channels.folder / "secrets").iterdir():
        (secrets / secret.name).write_text(secret.read_text())
    (secrets / "respond").write_text("respond-token")
    endpoints = msgspec.structs.replace(endpoints_of(channels), secrets_dir=str(secrets))
    async with a_service(channels, folder, endpoints=endpoints) as unserved:
        config = unserved.config
    service = AlertService(config)
    async with listening(create_app(service)) as client:
        yield service, client


RESPOND = {"Authorization": "Bearer respond-token"}


async def titles(service: AlertService) -> list[tuple[str, str]]:
    return sorted((i.state, i.service) for i in await service.incidents())


async def test_every_sender_opens_and_ends_an_incident(channels: Channels, tmp_path: Path) -> None:
    now = SystemClock().now()
    async with served(channels, tmp_path) as (service, client):
        began = (now - timedelta(minutes=1)).isoformat()

        def generic(status: str) -> dict[str, Any]:
            return {"status": status, "labels": {**LABELS, "service": "a"}}

        def grafana(status: str) -> dict[str, Any]:
            alert = {"status": status, "labels": {**LABELS, "service": "b"}, "startsAt": began}
            return {"status": status, "alerts": [alert | {"endsAt": now.isoformat()}]}

        def prometheus(status: str) -> list[dict[str, Any]]:
            ends = now + timedelta(minutes=4) if status == "firing" else now
            labels = {**LABELS, "service": "c"}
            return [{"labels": labels, "startsAt": began, "endsAt": ends.isoformat()}]

        forms = [
            ("/v1/generic", generic),
            ("/v1/grafana", grafana),
            ("/api/v2/alerts", prometheus),
        ]
        for number, (path, form) in enumerate(forms, start=1):
            refused = await client.post(path, json=form("firing"), headers={"Authorization": ""})
            assert 401 == refused.status_code
            answer = await client.post(path, json=form("firing"))
            assert (200, 1) == (answer.status_code, answer.json()["accepted"])
            await told(service, number, ("chat", "open"))
            ended = await client.post(path, json=form("resolved"))
            assert (200, 1) == (ended.status_code, ended.json()["accepted"])
            await told(service, number, ("chat", "resolve"))
    assert [] == channels.violations("slack")


async def test_what_nobody_repeats_ends_also_after_a_restart(
    channels: Channels, tmp_path: Path
) -> None:
    now = SystemClock().now()
    ends = now + timedelta(seconds=1.5)
    said = [{"labels": LABELS, "startsAt": now.isoformat(), "endsAt": ends.isoformat()}]
    async with served(channels, tmp_path) as (service, client):
        assert 200 == (await client.post("/api/v2/alerts", json=said)).status_code
        await told(service, 1, ("chat", "open"))
    async with served(channels, tmp_path) as (service, _):

        async def over() -> bool:
            return (await service.incident(1)).summary.state == "resolved"

        await eventually(over, what="the alert ended by itself")


async def test_what_cannot_be_read_is_kept_with_its_sender(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (_, client):
        answer = await client.post("/v1/generic", json=[{"status": "firing"}, 7])
        assert (200, 2) == (answer.status_code, answer.json()["rejected"])
        answer = await client.post("/v1/grafana", content=b"{")
        assert 400 == answer.status_code
        assert "Grafana" in answer.json()["hint"]
        scraped = (await client.get("/metrics")).text
        assert 'abops_alerts_received_total{result="rejected",source="grafana"} 1.0' in scraped
    rows = in_store(tmp_path, "SELECT source, position FROM rejected ORDER BY id")
    assert [("generic", 0), ("generic", 1)] == rows[:2]
    assert "grafana" == rows[2][0]


async def test_a_warning_of_the_cluster_becomes_an_incident(
    channels: Channels, tmp_path: Path
) -> None:
    event = {
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting failed container",
        "involvedObject": {"kind": "Pod", "namespace": "prod", "name": "api-6d4cf56db6-x2x9z"},
        "lastTimestamp": SystemClock().now().isoformat(),
    }
    async with served(channels, tmp_path) as (service, client):
        for accepted in (1, 0):
            answer = await client.post("/v1/kubernetes-events", json={"items": [event]})
            assert (200, accepted) == (answer.status_code, answer.json()["accepted"])
        detail = await told(service, 1, ("chat", "open"))
        assert "KubernetesBackOff: Back-off restarting failed container" == detail.summary.title


async def test_a_deploy_is_kept_once(channels: Channels, tmp_path: Path) -> None:
    deploy = {
        "kind": "deploy",
        "service": "api",
        "title": "api 2.4.1",
        "env": "local",
        "url": "https://git.example.org/api/2.4.1",
        "at": SystemClock().now().isoformat(),
    }
    async with served(channels, tmp_path) as (_, client):
        answers = [(await client.post("/v1/changes", json=deploy)).json() for _ in range(2)]
        assert [(1, 0), (0, 1)] == [(a["accepted"], a["duplicates"]) for a in answers]
        bare = await client.post("/v1/changes", json={"kind": "deploy"})
        assert (400, True) == (bare.status_code, "service" in bare.json()["hint"])
        found = (await client.get("/v1/changes?service=api", headers=RESPOND)).json()
        assert ["api 2.4.1"] == [change["title"] for change in found]


async def test_people_assign_note_call_noise_and_resolve(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (service, client):
        client.headers.update(RESPOND)
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("pd", "open"), ("chat", "open"))

        async def act(action: str, **said: object) -> dict[str, Any]:
            answer = await client.post(f"/v1/incidents/INC-1/{action}", json={"by": "ana"} | said)
            assert 200 == answer.status_code, answer.text
            changed: dict[str, Any] = answer.json()
            return changed

        assert "bo" == (await act("assign", owner="bo"))["owner"]
        await act("note", text="looking at the pool")
        assert "resolved" == (await act("resolve"))["state"]
        assert (await act("noise"))["noise"]
        await act("note", text="it was the pool")
        again = await client.post("/v1/incidents/1/resolve", json={})
        assert 409 == again.status_code
        await told(service, 1, ("pd", "resolve"), ("chat", "resolve"))
        timeline = [(e.actor, e.text) for e in (await service.incident(1)).timeline]
        for line in (
            "ana gave it to bo",
            "looking at the pool",
            "ana resolved it while 1 alerts were firing",
            "ana called it noise: nobody had to act",
            "it was the pool",
        ):
            assert line in [text for _, text in timeline]
        counted = (await client.get("/v1/statistics")).json()["severities"]
        assert [("critical", 1, 1, 1)] == [
            (c["severity"], c["incidents"], c["resolved"], c["noise"]) for c in counted
        ]
        assert counted[0]["mttr_s"] >= 0
        why = (await client.get("/v1/routes/explain?severity=critical")).json()
        assert (["pd", "chat"], ["pd"], ["tg"]) == (why["channels"], why["pages"], why["fallback"])
        missing = [
            (await client.post(f"/v1/incidents/99/{action}", json=said)).status_code
            for action, said in [("resolve", {}), ("note", {"text": "x"}), ("noise", {})]
        ]
        assert [404, 404, 404] == missing


async def test_the_terminal_does_the_same(channels: Channels, tmp_path: Path) -> None:
    async with served(channels, tmp_path) as (service, client):
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("pd", "open"))
        abops = Path(sys.executable).with_name("abops")
        where = ["--by", "ana", "--service", str(client.base_url)]
        for words, said in [
            (["assign", "1", "bo"], "INC-1 is bo's now"),
            (["note", "1", "it is the pool"], "noted for INC-1"),
            (["noise", "1"], "INC-1 was noise"),
            (["resolve", "1"], "INC-1 is resolved"),
        ]:
            run = await asyncio.create_subprocess_exec(
                abops, "alerts", *words, *where, stdout=subprocess.PIPE
            )
            output, _ = await run.communicate()
            assert (0, said) == (run.returncode, output.decode().strip())
        summary = (await service.incident(1)).summary
        assert ("resolved", "bo", True) == (summary.state, summary.owner, summary.noise)
