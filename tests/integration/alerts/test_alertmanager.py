"""With a real Alertmanager: the way of an alert, the test alert, and comparing notes."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx2
import yaml

from abops.alerts.model import ServiceSettings
from abops.clients.alertmanager import Alertmanager
from abops.kernel.clock import SystemClock
from abops.stack.tools import find_tool
from support.alerts import ROOT, TOKEN, a_process, a_service, eventually
from support.channels import Channels
from support.servers import Server, answers, free_port, running

LABELS = {"alertname": "ProbeFailed", "severity": "critical", "service": "api", "env": "local"}
_WEBHOOK = "/v1/alertmanager"


@contextmanager
def an_alertmanager(folder: Path, service_url: str | None) -> Iterator[Server]:
    folder.mkdir(parents=True, exist_ok=True)
    receiver: dict[str, object] = {"name": "service"}
    if service_url:
        token = folder / "ingest"
        token.write_text(TOKEN)
        receiver["webhook_configs"] = [
            {
                "url": f"{service_url}{_WEBHOOK}",
                "send_resolved": True,
                "http_config": {"authorization": {"credentials_file": str(token)}},
            }
        ]
    route = {"receiver": "service", "group_wait": "0s", "group_interval": "1s"}
    config = folder / "alertmanager.yml"
    config.write_text(yaml.safe_dump({"route": route, "receivers": [receiver]}))
    port = free_port()
    argv: list[str | Path] = [find_tool("alertmanager"), f"--config.file={config}"]
    argv += [f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    argv += ["--cluster.listen-address="]
    url = f"http://127.0.0.1:{port}/-/ready"
    with running(argv, port=port, log=folder / "log", ready=lambda: answers(url)) as server:
        yield server


def test_the_test_alert_is_timed_all_the_way(channels: Channels, tmp_path: Path) -> None:
    abops = str(Path(sys.executable).with_name("abops"))
    with (
        a_process(channels, tmp_path / "service", "--resolve-after", "1s") as process,
        an_alertmanager(tmp_path / "am", process.server.url) as alertmanager,
    ):
        argv = [abops, "alerts", "fire", "--test", "--wait", "20", "--output", "json"]
        argv += ["--alertmanager", alertmanager.url, "--service", process.server.url]
        argv += ["--inventory", str(ROOT / "platform.yaml")]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert 0 == ended.returncode, ended.stderr
        channels.control("pagerduty", mode="5xx")
        argv[argv.index("20")] = "2"
        late = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        listed = subprocess.run(
            [abops, "alerts", "list", "--output", "json", "--service", process.server.url],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    steps = json.loads(ended.stdout)
    assert 4 == len(steps)
    assert {"pd-dev accepted it", "slack-ops accepted it"} <= {row["step"] for row in steps}
    assert max(row["ms"] for row in steps) < 10_000
    assert (1, "error: not told in time: pd-dev") == (
        late.returncode,
        late.stderr.splitlines()[0],
    )
    assert 2 == len(json.loads(listed.stdout))


async def test_what_alertmanager_did_not_send_is_taken_in_and_what_vanished_ends(
    channels: Channels, tmp_path: Path
) -> None:
    settings = ServiceSettings(reconcile_every_s=0.2, vanished_after_s=0.5, resolve_after_s=0.2)
    with an_alertmanager(tmp_path / "am", None) as server:
        client = Alertmanager(server.url)
        now = SystemClock().now()
        await client.put(LABELS, {}, starts_at=now, ends_at=now + timedelta(minutes=5))
        async with a_service(
            channels, tmp_path / "data", settings=settings, alertmanager_url=server.url
        ) as service:

            async def firing() -> bool:
                return [1] == [i.firing for i in await service.incidents(state="open")]

            await eventually(firing, what="the alert is taken in")
            over = SystemClock().now()
            await client.put(LABELS, {}, starts_at=now, ends_at=over)

            async def resolved() -> bool:
                return ["resolved"] == [i.state for i in await service.incidents()]

            await eventually(resolved, what="the incident resolves")
            detail = await service.incident(1)
        await client.close()
    assert "vanished" == detail.members[0].alert.ended_by
    assert "ProbeFailed" == detail.members[0].alert.labels["alertname"]


async def test_a_silenced_alert_is_not_taken_in(channels: Channels, tmp_path: Path) -> None:
    settings = ServiceSettings(reconcile_every_s=0.1)
    with an_alertmanager(tmp_path / "am", None) as server:
        now = SystemClock().now()
        matcher = {"name": "service", "value": "api", "isRegex": False, "isEqual": True}
        silence = {
            "matchers": [matcher], "createdBy": "t", "comment": "t",
            "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat(),
        }  # fmt: skip
        async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as http:
            answer = await http.post("/api/v2/silences", json=silence)
            assert 200 == answer.status_code
        client = Alertmanager(server.url)
        end = now + timedelta(minutes=5)
        await client.put(LABELS, {}, starts_at=now, ends_at=end)
        await client.put({**LABELS, "service": "bot"}, {}, starts_at=now, ends_at=end)
        async with a_service(
            channels, tmp_path / "data", settings=settings, alertmanager_url=server.url
        ) as service:

            async def there() -> bool:
                return bool(await service.incidents())

            await eventually(there, what="the other alert is taken in")
            await asyncio.sleep(0.3)
            found = await service.incidents()
        await client.close()
    assert ["bot"] == [incident.service for incident in found]
