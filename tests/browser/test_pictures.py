"""Pictures of the pages, for the documentation and for people to judge.

What they show went its real way: alerts of the committed rules come in by webhook, the alert
service keeps them, the channel servers take the messages. Only the clock is ours, so that half
an hour passes in seconds. `ABOPS_PICTURES=docs/images pytest tests/browser/test_pictures.py`
renews those in the tree.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from playwright.sync_api import Browser

from abops.alerts.model import Endpoints, ServiceConfig, ServiceSettings
from abops.alerts.rootcause.live import platform_edges
from abops.alerts.route.from_inventory import routing_of
from abops.alerts.service import AlertService
from abops.entry.web.app import create_app
from abops.inventory.load import load_inventory
from abops.kernel.clock import SystemClock
from support import channels
from support.alerting import post_alerts
from support.browser import DESK, PHONE, Console, serving
from support.servers import wait_until

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infrastructure/monitoring/prometheus/rules/advanced-alerts.yml"


class ShiftedClock(SystemClock):
    """The machine's clock, moved."""

    shift = timedelta()

    def now(self) -> datetime:
        return super().now() + self.shift


class Night:
    """The real parts, and a way to let things happen at a time."""

    def __init__(self, console: Console, service: AlertService, clock: ShiftedClock) -> None:
        self.console = console
        self.service = service
        self.clock = clock
        groups = yaml.safe_load(RULES.read_text())["groups"]
        self._rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]

    def at(self, *, ago: timedelta) -> None:
        self.clock.shift = -ago

    def fires(self, name: str, service: str, *, ends: bool = False, **labels: str) -> None:
        """Send an alert of a committed rule, three seconds after it began."""
        rule = next(
            r
            for r in self._rules
            if r["alert"] == name and r["labels"].get("service") in {None, service}
        )
        now = self.clock.now()
        known = {"alertname": name, "env": "local", "service": service} | rule["labels"] | labels
        alert: dict[str, Any] = {
            "status": "resolved" if ends else "firing",
            "labels": known,
            "annotations": {k: _fill(v, known) for k, v in rule["annotations"].items()},
            "startsAt": (now - timedelta(seconds=40 if ends else 3)).isoformat(),
            "endsAt": now.isoformat() if ends else "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:9090/graph",
            "fingerprint": "",
        }
        post_alerts(self.console.url, self.service, alert)

    def acked(self, number: int, by: str) -> None:
        url = f"{self.console.url}/v1/incidents/{number}/ack"
        httpx2.post(url, json={"by": by}).raise_for_status()

    def told(self, count: int) -> None:
        """Wait until there are so many incidents and no message waits."""
        wait_until(lambda: self._is_told(count), what=f"{count} incidents told")

    def _is_told(self, count: int) -> bool:
        found = httpx2.get(f"{self.console.url}/v1/incidents").json()
        return len(found) == count and all(self._has_no_message_waiting(i) for i in found)

    def _has_no_message_waiting(self, incident: dict[str, Any]) -> bool:
        url = f"{self.console.url}/v1/incidents/{incident['number']}"
        deliveries = httpx2.get(url).json()["deliveries"]
        return bool(deliveries) and all(d["state"] in {"done", "skipped"} for d in deliveries)


def _fill(template: str, labels: dict[str, str]) -> str:
    filled = re.sub(
        r"\{\{\s*\$labels\.(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), template
    )
    filled = filled.replace("{{ $externalURL }}", "http://127.0.0.1:9090")
    return filled.replace("{{ $value | humanizePercentage }}", "82.4%")


INVENTORY = load_inventory(ROOT / "platform.yaml")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("night")
    inbox = channels.prepared(folder)
    (folder / "secrets" / "ingest").write_text("token-of-a-test")
    endpoints = Endpoints(
        slack_api_url=f"{inbox.url('slack')}/api/",
        pagerduty_url=f"{inbox.url('pagerduty')}/v2/enqueue",
        telegram_url=inbox.url("telegram"),
        smtp_host="127.0.0.1",
        smtp_port=inbox.ports["smtp"],
        secrets_dir=str(folder / "secrets"),
    )
    config = ServiceConfig(
        env="local",
        routing=routing_of(INVENTORY),
        data_dir=folder / "alerts",
        calls=tuple((edge.source, edge.target) for edge in platform_edges(INVENTORY)),
        endpoints=endpoints,
        settings=ServiceSettings(heartbeat_timeout_s=86_400, resolve_after_s=60, gap_s=1_200),
    )
    clock = ShiftedClock()
    service = AlertService(config, clock)
    app = create_app(service, clock=clock, inbox_url=inbox.url("inbox"))
    with channels.start(inbox), serving(app) as console:
        night = Night(console, service, clock)
        _happen(night)
        yield night


def _happen(night: Night) -> None:
    """Let Redis fail and come back, the worker vanish, and then the database take the API."""
    night.at(ago=timedelta(minutes=47))
    night.fires("RedisDown", "redis", instance="127.0.0.1:9121")
    night.told(1)
    night.at(ago=timedelta(minutes=46, seconds=20))
    night.acked(1, "bo")
    night.fires("RedisDown", "redis", ends=True, instance="127.0.0.1:9121")
    night.told(1)
    night.at(ago=timedelta(minutes=31))
    night.fires("TargetVanished", "worker", instance="127.0.0.1:9102")
    night.told(2)
    night.at(ago=timedelta(minutes=29, seconds=20))
    night.acked(2, "ana")
    night.told(2)
    night.at(ago=timedelta(minutes=2, seconds=20))
    night.fires("PostgresDown", "postgres", instance="127.0.0.1:9187")
    night.told(3)
    night.at(ago=timedelta(minutes=2, seconds=12))
    night.fires("ApiErrorStorm", "api", instance="127.0.0.1:8000")
    night.fires("ProbeFailed", "api", instance="127.0.0.1:8000/ready")
    night.fires("ProbeFailed", "bot", instance="127.0.0.1:9101/healthz")
    night.told(3)
    night.at(ago=timedelta())


PAGES = {"incidents": "/incidents", "incident": "/incidents/3", "runbook": "/runbooks/PostgresDown"}


LOOKS = [(size, theme) for size in (DESK, PHONE) for theme in ("light", "dark")]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0][0]}-{look[1]}")
@pytest.mark.parametrize("name", PAGES)
def test_a_picture_of_a_page_is_taken(
    browser: Browser, night: Night, pictures: Path, name: str, look: tuple[tuple[int, int], Any]
) -> None:
    (width, height), theme = look
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = context.new_page()
    page.goto(night.console.url + PAGES[name])
    if page.locator("#live").count():
        page.wait_for_selector("#live[data-state=live]")
    picture = pictures / f"{name}-{width}-{theme}.png"
    page.screenshot(path=picture)
    context.close()
    assert picture.stat().st_size > 10_000
