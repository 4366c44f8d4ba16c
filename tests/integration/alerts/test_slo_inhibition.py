"""A page about an objective's budget silences the ticket about the same budget, and no other."""

from datetime import timedelta
from pathlib import Path

import yaml

from abops.alerts.model import Endpoints
from abops.alerts.route.alertmanager import alertmanager_config
from abops.clients.alertmanager import Alertmanager
from abops.clients.loopback import Loopback
from abops.inventory.load import load_inventory
from abops.kernel.clock import SystemClock
from abops.stack.tools import find_tool
from support.alerts import ROOT, eventually
from support.servers import answers, free_port, running

AVAILABILITY = {"slo": "api-availability", "service": "api", "env": "local"}


async def test_a_page_silences_the_ticket_of_the_same_objective_only(tmp_path: Path) -> None:
    inventory = load_inventory(ROOT / "platform.yaml")
    rules = yaml.safe_load(alertmanager_config(inventory, Endpoints()))["inhibit_rules"]
    config = tmp_path / "alertmanager.yml"
    config.write_text(
        yaml.safe_dump(
            {"route": {"receiver": "r"}, "receivers": [{"name": "r"}], "inhibit_rules": rules}
        )
    )
    port = free_port()
    argv: list[str | Path] = [find_tool("alertmanager"), f"--config.file={config}"]
    argv += [f"--storage.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    argv += ["--cluster.listen-address="]
    url = f"http://127.0.0.1:{port}"
    with running(argv, port=port, log=tmp_path / "log", ready=lambda: answers(f"{url}/-/ready")):
        client, asked, now = Alertmanager(url), Loopback(url), SystemClock().now()
        fast = AVAILABILITY | {"alertname": "SLOErrorBudgetBurnFast", "severity": "critical"}
        slow = AVAILABILITY | {"alertname": "SLOErrorBudgetBurnSlow", "severity": "warning"}
        for labels in (
            fast,
            slow,
            slow | {"slo": "api-latency"},
            slow | {"env": "staging"},
            slow | {"alertname": "SLONoData"},
        ):
            await client.put(labels, {}, starts_at=now, ends_at=now + timedelta(minutes=5))

        def silenced() -> list[tuple[str, str, str]]:
            return [
                (a["labels"]["alertname"], a["labels"]["slo"], a["labels"]["env"])
                for a in asked.get("/api/v2/alerts")
                if a["status"]["state"] == "suppressed"
            ]

        async def some() -> bool:
            return silenced() != []

        await eventually(some, what="an inhibition")
        assert [("SLOErrorBudgetBurnSlow", "api-availability", "local")] == silenced()
        await client.close()
        asked.close()
