"""Reports on the terminal and by e-mail: the week, and what alerts cost people."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from abops.alerts.route.from_inventory import routing_of
from abops.alerts.service.channels import mailbox_of
from abops.alerts.service.letters import message_id
from abops.clients.notify.email import Letter
from abops.entry.cli.local import alerts_api
from abops.entry.web.serve import read_endpoints
from abops.inventory.load import load_inventory
from abops.kernel.clock import SystemClock
from abops.kernel.quantities import humanize_seconds


def weekly_report(
    *, send: bool, endpoints: Path | None, secrets_dir: Path | None, service: str, inventory: Path
) -> Iterator[str]:
    """Give the report's text, and say to whom it was sent."""
    loaded = load_inventory(inventory)
    now = SystemClock().now().astimezone(ZoneInfo(loaded.alerts.tz))
    report = alerts_api(service).weekly(loaded.name)
    yield report["text"]
    if not send:
        return
    routing = routing_of(loaded)
    where = read_endpoints(endpoints, secrets_dir)
    for name in routing.summaries:
        channel = routing.channels[name]
        identity = message_id(f"{now:%G-W%V}", loaded.name, name)
        letter = Letter(
            channel.to, report["subject"], report["text"], identity, html=report["html"]
        )
        asyncio.run(mailbox_of(channel, where).send(letter))
        yield f"sent to {', '.join(channel.to)} by {name}"


def fatigue_figures(found: dict[str, Any]) -> list[dict[str, str]]:
    """Return what is counted, this period and the one before."""
    now, before = found["now"], found["before"]
    names = {
        "incidents": "incidents",
        "alerts": "alerts",
        "alerts_per_incident": "alerts an incident",
        "acked": "acknowledged",
        "mtta_s": "median time to acknowledge",
        "mttr_s": "median time to resolve",
    }
    return [
        {"what": said, "now": _figure(name, now[name]), "before": _figure(name, before[name])}
        for name, said in names.items()
    ]


def fatigue_proposals(found: dict[str, Any]) -> list[dict[str, str]]:
    """Return what costs people too much, each with what to change."""
    rows = [
        {
            "what": row["kind"],
            "finding": f"{row['finding']} ({row['share']:.0%} of {row['incidents']})",
            "proposal": row["proposal"],
        }
        for row in found["now"]["kinds"]
    ]
    rows += [
        {
            "what": row["person"],
            "finding": f"{row['day']} pages by day, {row['night']} at night",
            "proposal": row["proposal"],
        }
        for row in found["now"]["people"]
    ]
    return rows


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name.endswith("_s"):
        return humanize_seconds(value)
    return f"{value:.1f}" if name == "alerts_per_incident" else f"{value:.0f}"
