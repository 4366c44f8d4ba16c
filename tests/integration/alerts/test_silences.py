"""While the demonstration runs, only what it shows is heard, and afterwards everything again."""

from datetime import timedelta
from pathlib import Path

import yaml

from abops.clients.alertmanager import Alertmanager
from abops.clients.silences import Silences
from abops.kernel.clock import SystemClock
from abops.stack.tools import find_tool
from support.alerts import eventually
from support.servers import answers, free_port, running


async def test_all_but_the_named_alerts_are_silent_until_the_end(tmp_path: Path) -> None:
    config = tmp_path / "alertmanager.yml"
    config.write_text(yaml.safe_dump({"route": {"receiver": "r"}, "receivers": [{"name": "r"}]}))
    port = free_port()
    argv: list[str | Path] = [find_tool("alertmanager"), f"--config.file={config}"]
    argv += [f"--storage.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    argv += ["--cluster.listen-address="]
    url = f"http://127.0.0.1:{port}"
    with running(argv, port=port, log=tmp_path / "log", ready=lambda: answers(f"{url}/-/ready")):
        client, silences, now = Alertmanager(url), Silences(url), SystemClock().now()
        for name in ("ProbeFailed", "ProbeFailedLately", "SLOErrorBudgetBurnFast"):
            await client.put(
                {"alertname": name}, {}, starts_at=now, ends_at=now + timedelta(minutes=5)
            )

        async def heard() -> set[str]:
            return {a.labels["alertname"] for a in await client.alerts() if a.active}

        silence = silences.all_but(
            ("ProbeFailed", "Watchdog"), since=now, until=now + timedelta(hours=1)
        )

        async def one() -> bool:
            return {"ProbeFailed"} == await heard()

        await eventually(one, what="the others are silent")
        silences.end(silence)

        async def all_of_them() -> bool:
            return len(await heard()) == 3

        await eventually(all_of_them, what="everything is heard again")
        silences.close()
        await client.close()
