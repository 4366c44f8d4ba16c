"""Delivering updates to the webhook, as Telegram does: again and again until it is answered.

Up to the webhook's number of connections at once; an update is gone only when its delivery was
answered with 2xx. After a failure it waits, a little longer each time.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from apps import clock
from apps.faults import switches
from apps.telegram_stub.state import Json, StubState, Webhook

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 10.0
TIMEOUT_S = 15
LOOK_EVERY_S = 5.0


async def deliver(state: StubState) -> None:
    """Deliver until cancelled."""
    pause = FIRST_PAUSE_S
    async with ClientSession(timeout=ClientTimeout(total=TIMEOUT_S)) as session:
        while True:
            webhook = state.webhook
            if webhook is None or not state.pending or switches().active("telegram_down"):
                pause = FIRST_PAUSE_S
                await state.change(LOOK_EVERY_S if state.webhook is None else 1.0)
                continue
            batch = state.waiting(webhook.connections)
            taken = await asyncio.gather(*(_post(session, webhook, update) for update in batch))
            state.delivered(set(filter(None, taken)))
            if all(taken):
                pause = FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_S, pause * 2)


async def _post(session: ClientSession, webhook: Webhook, update: Json) -> int:
    """Deliver one update; return its number when it was taken, else 0."""
    headers = {SECRET_HEADER: webhook.secret} if webhook.secret else {}
    try:
        async with session.post(
            webhook.url, json=update, headers=headers, allow_redirects=False
        ) as answer:
            if answer.ok and answer.status < web.HTTPMultipleChoices.status_code:
                return int(update["update_id"])
            problem = f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except TimeoutError:
        problem = "Read timeout expired"
    except ClientError as error:
        problem = f"Connection failed: {type(error).__name__}"
    webhook.last_error_date, webhook.last_error_message = int(clock.epoch_s()), problem
    return 0


def delivering(state: StubState) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return what runs the deliveries as long as an application runs."""

    async def context(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(deliver(state))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return context
