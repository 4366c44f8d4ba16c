"""The other two channels: a security warning for Telegram, the weekly report for e-mail.

The faults of the demonstration are critical and go to PagerDuty and Slack. These two show
that what is not critical finds its way as well.
"""

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta
from time import sleep

from abops.alerts.route.from_inventory import routing_of
from abops.alerts.service.channels import mailbox_of
from abops.clients.alertmanager import Alertmanager
from abops.clients.notify.email import Letter
from abops.inventory.load import load_inventory
from abops.kernel.clock import Clock
from abops.stack.layout import INVENTORY_FILE
from abops.stack.render import local_endpoints
from abops.stack.site import ENVIRONMENT, Site
from abops.workflows.demo import LOOK_EVERY_S, PAGE_WITHIN_S, Observers

LASTS = timedelta(minutes=2)

TEST_ALERT = "AbopsTestAlert"


def warn_by_telegram(site: Site, observers: Observers, clock: Clock) -> float | None:
    """Give Alertmanager a security warning; return the seconds until Telegram had it."""
    begun = clock.now()
    labels = {
        "alertname": TEST_ALERT,
        "severity": "warning",
        "category": "security",
        "service": f"demo-{secrets.token_hex(3)}",  # an incident of its own each time
        "env": ENVIRONMENT,
        "team": "dev",
        "test": "true",
    }
    summary = {"summary": "many failed logins (a test, nothing is wrong)"}

    async def put(seconds: timedelta) -> None:
        client = Alertmanager(site.url("alertmanager"))
        try:
            await client.put(labels, summary, starts_at=begun, ends_at=clock.now() + seconds)
        finally:
            await client.close()

    asyncio.run(put(LASTS))
    try:
        return _arrives("telegram", observers, clock, begun.timestamp())
    finally:
        asyncio.run(put(timedelta()))


def report_by_mail(site: Site, observers: Observers, clock: Clock) -> float | None:
    """Send the weekly report; return the seconds until the mailbox had it."""
    begun = clock.now()
    inventory = load_inventory(site.layout.root / INVENTORY_FILE)
    routing, endpoints = routing_of(inventory), local_endpoints(site)
    report = observers.incidents.weekly(inventory.name)
    for name in routing.summaries:
        channel = routing.channels[name]
        message_id = f"<demo.{secrets.token_hex(8)}.{inventory.name}@abops>"
        letter = Letter(
            channel.to, report["subject"], report["text"], message_id, html=report["html"]
        )
        asyncio.run(mailbox_of(channel, endpoints).send(letter))
    return _arrives("email", observers, clock, begun.timestamp())


def _arrives(channel: str, observers: Observers, clock: Clock, begun: float) -> float | None:
    while clock.now().timestamp() - begun < PAGE_WITHIN_S:
        for message in observers.inbox.received():
            if message.channel == channel and message.at_s >= begun:
                return message.at_s - begun
        sleep(LOOK_EVERY_S)
    return None


CHANNELS: tuple[tuple[str, str, Callable[[Site, Observers, Clock], float | None]], ...] = (
    ("security-warning", "telegram", warn_by_telegram),
    ("weekly-report", "email", report_by_mail),
)
