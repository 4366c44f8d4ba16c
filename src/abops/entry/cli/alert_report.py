"""The weekly report, on the terminal and by e-mail."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from abops.alerts.route.from_inventory import routing_of
from abops.alerts.service.channels import mailbox_of
from abops.alerts.service.report import WeeklyReport, weekly
from abops.clients.alerts_api import AlertsApi
from abops.clients.notify.email import Letter
from abops.entry.web.serve import read_endpoints
from abops.inventory.load import load_inventory
from abops.kernel.clock import SystemClock

_MOST = 1_000


def weekly_report(
    *, send: bool, endpoints: Path | None, secrets_dir: Path | None, service: str, inventory: Path
) -> Iterator[str]:
    """Give the report's text, and say to whom it was sent."""
    now = SystemClock().now()
    loaded = load_inventory(inventory)
    since = int((now - timedelta(days=7)).timestamp())
    found = AlertsApi(service).incidents(limit=_MOST, since=since)
    report = weekly(found, now=now, name=loaded.name)
    yield report.text
    if not send:
        return
    routing = routing_of(loaded)
    where = read_endpoints(endpoints, secrets_dir)
    for name in routing.summaries:
        channel = routing.channels[name]
        letter = _letter(report, channel.to, f"<weekly.{now:%G-W%V}.{loaded.name}.{name}@abops>")
        asyncio.run(mailbox_of(channel, where).send(letter))
        yield f"sent to {', '.join(channel.to)} by {name}"


def _letter(report: WeeklyReport, to: tuple[str, ...], message_id: str) -> Letter:
    return Letter(to, report.subject, report.text, message_id, html=report.html)
