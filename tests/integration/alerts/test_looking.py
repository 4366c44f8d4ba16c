"""How things stand, from the API and the terminal: channels, comparing notes, what if."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from abops.clients.alertmanager import Alertmanager
from abops.entry.cli.alerts import group
from abops.kernel.clock import SystemClock
from abops.stack.tools import find_tool
from support.alerts import (
    RESPOND,
    ROOT,
    Process,
    a_body,
    a_process,
    a_service,
    an_alert,
    eventually,
    told,
)
from support.channels import Channels
from support.keep import unrelated
from support.servers import answers, free_port, running


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    config = tmp_path / "alertmanager.yml"
    config.write_text(yaml.safe_dump({"route": {"receiver": "r"}, "receivers": [{"name": "r"}]}))
    port = free_port()
    argv: list[str | Path] = [find_tool("alertmanager"), f"--config.file={config}"]
    argv += [f"--storage.path={tmp_path / 'am'}", f"--web.listen-address=127.0.0.1:{port}"]
    argv += ["--cluster.listen-address="]
    url = f"http://127.0.0.1:{port}"
    with running(argv, port=port, log=tmp_path / "am.log", ready=lambda: answers(f"{url}/-/ready")):
        yield url


def asked(process: Process, *words: str) -> Any:  # noqa: ANN401 - what a command answers
    argv = [str(Path(sys.executable).with_name("abops")), "alerts", *words]
    argv += ["--service", process.server.url, "--output", "json"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert 0 == ran.returncode, ran.stderr
    return msgspec.json.decode(ran.stdout)


async def test_channels_say_what_they_took_and_what_waits(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        before = {row.channel: row for row in await service.channels()}
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("pd", "open"), ("chat", "open"))
        channels.control("slack", mode="5xx")
        await service.ack(1, by="ana")

        async def waits() -> bool:
            rows = {row.channel: row for row in await service.channels()}
            return rows["chat"].waiting >= 1 and bool(rows["chat"].error)

        await eventually(waits, what="the chat waits")
        after = {row.channel: row for row in await service.channels()}
    assert {"pd", "chat", "tg", "mail"} == set(before)
    assert (0, None, 0) == (before["pd"].told, before["pd"].told_at, before["pd"].waiting)
    assert after["pd"].told >= 1
    assert after["pd"].told_at is not None
    assert after["chat"].oldest_at is not None


async def test_notes_are_compared_when_somebody_asks(
    channels: Channels, tmp_path: Path, alertmanager: str
) -> None:
    with a_process(channels, tmp_path / "service", "--alertmanager", alertmanager) as process:
        client, now = Alertmanager(alertmanager), SystemClock().now()
        labels = {"alertname": "Missed", "severity": "warning", "service": "api", "env": "local"}
        await client.put(labels, {}, starts_at=now, ends_at=now + timedelta(minutes=5))
        await client.close()
        process.post(an_alert("OnlyHere", service="bot", severity="warning"))

        async def here() -> bool:
            found = process.client.get("/v1/incidents").json()
            return len(found) == 1

        await eventually(here, what="what was posted is here")
        (found,) = asked(process, "reconcile")
        assert (1, 1, 1, 0) == (
            found["listed"],
            found["taken_in"],
            found["gone"],
            found["vanished"],
        )
        names = {row["channel"] for row in asked(process, "channels")}
        assert "slack-ops" in names


def test_without_an_alertmanager_there_is_nothing_to_compare(
    channels: Channels, tmp_path: Path
) -> None:
    with a_process(channels, tmp_path / "service") as process:
        shown = {"Authorization": f"Bearer {RESPOND}"}
        refused = process.client.post("/v1/reconcile", headers=shown, auth=None)
        assert 409 == refused.status_code
        assert "--alertmanager" in refused.json()["hint"]


def test_a_deploy_opens_one_window_however_often_it_asks(
    channels: Channels, tmp_path: Path
) -> None:
    end = (SystemClock().now() + timedelta(minutes=30)).isoformat()
    body = {
        "name": "deploy of api",
        "matchers": 'service="api"',
        "reason": "version 2",
        "ends_at": end,
        "key": "deploy/api/4711",
    }
    with a_process(channels, tmp_path / "service") as process:
        token = {"Authorization": f"Bearer {RESPOND}"}
        client = process.client
        first = client.post("/v1/windows", json=body, headers=token, auth=None)
        again = client.post("/v1/windows", json=body, headers=token, auth=None)
        other = client.post(
            "/v1/windows", json={**body, "key": "deploy/api/4712"}, headers=token, auth=None
        )
        assert [201, 201, 201] == [answer.status_code for answer in (first, again, other)]
        assert first.json() == again.json() != other.json()
        number = first.json()["id"]
        client.request("DELETE", f"/v1/windows/{number}", headers=token, auth=None)
        ended = client.post("/v1/windows", json=body, headers=token, auth=None)
        assert first.json() == ended.json()  # a retry opens nothing that was ended
        left = [row["id"] for row in client.get("/v1/windows").json()]
        assert [other.json()["id"]] == left


async def test_storms_that_rage_are_counted(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        assert b"abops_storms_running 0.0" in await service.metrics()
        await service._vault.write(  # noqa: SLF001 - a storm of three thousand alerts is another test
            lambda unit: (
                unit.connection.exec_driver_sql(
                    "INSERT INTO storm (scope, incident, began_at, rate, baseline, alerts,"
                    " digested, paged_alone) VALUES ('api', 1, 1.0, 1.0, 1.0, 1, 1, 0)"
                )
                and None
            )
        )
        assert b"abops_storms_running 1.0" in await service.metrics()


async def test_replay_says_what_other_rules_would_have_made_of_it(
    channels: Channels, tmp_path: Path
) -> None:
    critical, info = unrelated(1), unrelated(2, severity="info")
    async with a_service(channels, tmp_path / "data") as service:
        await service.ingest(a_body(critical, info))
        await told(service, 2, ("chat", "open"))
    rules = yaml.safe_load((ROOT / "platform.yaml").read_text())
    critical_route = {"match": 'severity="critical"'}.items()
    (route,) = [r for r in rules["alerts"]["routes"] if critical_route <= r.items()]
    route["min_alerts"] = 2  # critical: only two of them
    inventory = tmp_path / "platform.yaml"
    for text, incidents, pages in (
        ((ROOT / "platform.yaml").read_text(), 2, 1),
        (yaml.safe_dump(rules), 1, 0),
    ):
        inventory.write_text(text)
        ran = CliRunner().invoke(
            group,
            [
                "replay",
                "--data-dir",
                str(tmp_path / "data"),
                "--inventory",
                str(inventory),
                "--output",
                "json",
            ],
        )
        assert 0 == ran.exit_code, ran.output
        (found,) = msgspec.json.decode(ran.output)
        assert (2, 2) == (found["alerts"], found["incidents_then"])
        assert incidents == len(found["incidents"])
        assert (pages > 0) is any(row["pages"] for row in found["incidents"])
