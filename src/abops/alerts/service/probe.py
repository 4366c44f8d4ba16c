"""Whether each channel would take a message, seen without sending one.

Slack and Telegram say whose token it is, the mail server takes the login. PagerDuty has no call
for this, and every event is a page: its address is reached, its key is not tested.
"""

import asyncio
from pathlib import Path
from typing import Final

from msgspec import Struct

from abops.alerts.model import Channel, Endpoints, Routing
from abops.alerts.service.channels import key_of, mailbox_of, read_secret
from abops.clients.notify.pagerduty import PagerDuty
from abops.clients.notify.slack import Slack
from abops.clients.notify.telegram import Telegram
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

CALLS: Final = {
    "slack": "auth.test",
    "telegram": "getMe, getChat",
    "email": "EHLO, login, NOOP",
    "pagerduty": "reached",
}


class ChannelProbeError(OpsError):
    """A channel would not take a message."""

    hint = "Compare its secret and its address with the provider's; nobody is told there now."


class Probed(Struct, frozen=True):
    """How one channel answered."""

    channel: str
    type: str
    call: str
    passed: bool
    said: str
    seconds: float


async def probe_channels(
    routing: Routing, endpoints: Endpoints, clock: Clock
) -> tuple[Probed, ...]:
    """Ask every channel, all at once; what one answers is never the reason to leave another out."""
    probes = (_probe(channel, endpoints, clock) for channel in routing.channels.values())
    return tuple(await asyncio.gather(*probes))


async def _probe(channel: Channel, endpoints: Endpoints, clock: Clock) -> Probed:
    began = clock.monotonic()
    try:
        passed, said = True, await _ask(channel, endpoints)
    except OpsError as error:
        passed, said = False, str(error)
    took = round(clock.monotonic() - began, 3)
    return Probed(channel.name, channel.type, CALLS[channel.type], passed, said, took)


async def _ask(channel: Channel, endpoints: Endpoints) -> str:
    if channel.type == "email":
        return await mailbox_of(channel, endpoints).test()
    folder = Path(endpoints.secrets_dir)
    if channel.type == "pagerduty":
        file, key = key_of(channel, folder)
        return await _reach(PagerDuty(key, url=endpoints.pagerduty_url), channel, file)
    secret = read_secret(folder, channel.secret_file)
    if channel.type == "slack":
        slack = Slack(secret, base_url=endpoints.slack_api_url)
        try:
            return await slack.test()
        finally:
            slack.close()
    telegram = Telegram(secret, url=endpoints.telegram_url)
    try:
        return await telegram.test(channel.address)
    finally:
        await telegram.close()


async def _reach(pagerduty: PagerDuty, channel: Channel, file: str) -> str:
    try:
        said = await pagerduty.reach()
    finally:
        await pagerduty.close()
    own = file == channel.secret_file
    return said if own else f"{said}; {channel.secret_file} is not there, {file} pages for it"
