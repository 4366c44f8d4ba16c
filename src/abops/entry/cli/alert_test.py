"""The test alert: sent all the way through, each step timed."""

import asyncio
import secrets
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from abops.alerts.route.from_inventory import routing_of
from abops.alerts.route.tree import decide
from abops.clients.alertmanager import Alertmanager
from abops.clients.alerts_api import AlertsApi
from abops.entry.cli.local import alerts_api
from abops.inventory.load import load_inventory
from abops.kernel.clock import SystemClock
from abops.kernel.errors import OpsError

Row = dict[str, Any]
_POLL_S = 0.1


class LateError(OpsError):
    """A channel was not told in time."""

    hint = "Look at the incident's deliveries: `abops alerts show NUMBER`."


def fire_test(
    *, wait: float, env: str, alertmanager: str, service: str, inventory: Path
) -> tuple[list[Row], list[str]]:
    """Fire, wait for each expected channel, resolve; return the steps and the late channels."""
    routing = routing_of(load_inventory(inventory))
    labels = {
        "alertname": "AbopsTestAlert",
        "severity": "critical",
        "test": "true",
        "service": f"alert-path-{secrets.token_hex(3)}",  # an incident of its own each time
        "env": env,
        "team": next(iter(routing.teams)),
    }
    expected = decide(routing, labels).channels
    api = alerts_api(service)
    api.incidents(limit=1)  # says at once when the service is not there
    begun = SystemClock().now()
    _put(alertmanager, labels, begun, begun + timedelta(seconds=wait + 60))
    accepted = SystemClock().now()
    rows: list[Row] = [_row("alertmanager accepted it", begun, accepted)]
    try:
        steps, late = _await_told(api, labels["service"], expected, begun, wait)
    finally:
        _put(alertmanager, labels, begun, SystemClock().now())
    return rows + steps, late


def _await_told(
    api: AlertsApi, service: str, expected: tuple[str, ...], begun: datetime, wait: float
) -> tuple[list[Row], list[str]]:
    deadline = time.monotonic() + wait
    told: dict[str, datetime] = {}
    summary: Row | None = None
    while time.monotonic() < deadline and not told.keys() >= set(expected):
        time.sleep(_POLL_S)
        summary = summary or _find(api, service)
        if summary is None:
            continue
        for delivery in api.incident(summary["number"])["deliveries"]:
            if delivery["kind"] == "open" and delivery["state"] == "done":
                told.setdefault(
                    delivery["channel"], datetime.fromisoformat(delivery["delivered_at"])
                )
    late = [name for name in expected if name not in told]
    if summary is None:
        return [], late
    opened = datetime.fromisoformat(summary["opened_at"])
    rows = [_row(f"incident INC-{summary['number']} opened", begun, opened)]
    rows += [_row(f"{name} accepted it", begun, at) for name, at in told.items()]
    return rows, late


def _find(api: AlertsApi, service: str) -> Row | None:
    return next((i for i in api.incidents(state="open") if i["service"] == service), None)


def _put(url: str, labels: dict[str, str], starts_at: datetime, ends_at: datetime) -> None:
    annotations = {
        "summary": "a test of the way from Alertmanager to people",
        "description": "Nothing is wrong. It resolves by itself.",
    }

    async def put() -> None:
        client = Alertmanager(url)
        try:
            await client.put(labels, annotations, starts_at=starts_at, ends_at=ends_at)
        finally:
            await client.close()

    asyncio.run(put())


def _row(step: str, begun: datetime, at: datetime) -> Row:
    return {"step": step, "ms": round((at - begun).total_seconds() * 1000)}
