"""What Slack, PagerDuty and Telegram call when a person presses a button.

These routes have no login: the provider's signature over the raw body is what lets a request
in. What is forged or replayed gets 401 and a row of audit. Each provider has its patience: Slack
waits 3 seconds, PagerDuty 5, and PagerDuty drops for good what it gets a 4xx for.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from abops.alerts.ingest.callbacks import (
    ForgedCallbackError,
    Press,
    ReplayedCallbackError,
    UnreadableCallbackError,
    Via,
    pagerduty_press,
    slack_presses,
    slack_spoken,
    verify_pagerduty,
    verify_slack,
    verify_telegram,
)
from abops.alerts.service import AlertService
from abops.alerts.service.callbacks import Callbacks, telegram_tokens, whisper
from abops.alerts.service.polling import answer_update
from abops.clients.notify.telegram import Telegram
from abops.entry.web.alerts_api import BodyTooLargeError, read_body
from abops.kernel.errors import OpsError

MOST_BYTES: Final = 1 << 20
SLACK_WITHIN_S: Final = 2.5
PAGERDUTY_WITHIN_S: Final = 4.0
_SECRETS: Final[dict[Via, str]] = {
    "slack": "slack-sign",
    "pagerduty": "pd-hook",
    "telegram": "telegram-hook",
}
_STATUS: Final[dict[type[OpsError], int]] = {
    ForgedCallbackError: 401,
    UnreadableCallbackError: 400,
    BodyTooLargeError: 413,
}
_LATER: Final = 503
_encode = msgspec.json.Encoder().encode


class _Refusing(APIRoute):
    """Turns what is not genuine into a short answer that explains nothing to a forger."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except tuple(_STATUS) as error:
                status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
                return _said(str(error), status)
            except TimeoutError:
                return _said("the store did not answer in time", _LATER)

        return answered


def callbacks_router(service: AlertService, callbacks: Callbacks) -> APIRouter:
    """Return the routes for the providers."""
    router = APIRouter(route_class=_Refusing, prefix="/v1/callbacks", tags=["callbacks"])
    _Slack(service, callbacks).add(router)
    _PagerDuty(service, callbacks).add(router)
    _Telegram(service, callbacks).add(router)
    return router


class _Provider:
    """What the three have in common: the secret, and what happens to a forgery."""

    via: Via

    def __init__(self, service: AlertService, callbacks: Callbacks) -> None:
        self.service = service
        self.callbacks = callbacks
        self._told: set[asyncio.Task[None]] = set()

    def secret(self) -> bytes:
        """Read the secret anew: one that was replaced counts at once. Empty: there is none."""
        path = Path(self.service.config.endpoints.secrets_dir) / _SECRETS[self.via]
        try:
            return path.read_bytes().strip()
        except OSError:
            return b""

    async def genuine(self, request: Request) -> bytes:
        """Return the body; raises ForgedCallbackError after noting it."""
        body = await read_body(request, MOST_BYTES)
        try:
            self.check(request, body)
        except ForgedCallbackError as error:
            await self.callbacks.refuse(self.via, str(error))
            raise
        return body

    def check(self, request: Request, body: bytes) -> None:
        """Raise ForgedCallbackError unless the request is signed."""
        raise NotImplementedError

    def whisper(self, press: Press, text: str) -> None:
        """Answer a person in Slack, after the callback itself has been answered."""
        task = asyncio.create_task(whisper(self.service.config, press, text))
        self._told.add(task)
        task.add_done_callback(self._told.discard)


class _Slack(_Provider):
    via: Via = "slack"

    def check(self, request: Request, body: bytes) -> None:
        signature = request.headers.get("x-slack-signature", "")
        verify_slack(
            self.secret(),
            body,
            timestamp=request.headers.get("x-slack-request-timestamp", ""),
            signature=signature,
            now=self.service.clock.now().timestamp(),
        )
        if not self.callbacks.first_time(f"slack/{signature}"):
            raise ReplayedCallbackError("the Slack signature was seen before")

    def add(self, router: APIRouter) -> None:
        """Add the route."""

        @router.post("/slack")
        async def slack(request: Request) -> Response:
            """Take a button that was pressed in Slack, or the command that links an account."""
            body = await self.genuine(request)
            if (spoken := slack_spoken(body)) is not None:
                text = await self.callbacks.hear(spoken)
                return _json({"response_type": "ephemeral", "text": text})
            for press in slack_presses(body):
                async with asyncio.timeout(SLACK_WITHIN_S):
                    answer = await self.callbacks.take(press)
                if not answer.done:
                    self.whisper(press, answer.text)
            return Response(status_code=200)


class _PagerDuty(_Provider):
    via: Via = "pagerduty"

    def check(self, request: Request, body: bytes) -> None:
        signatures = request.headers.get("x-pagerduty-signature", "")
        verify_pagerduty(self.secret(), body, signatures=signatures)

    def add(self, router: APIRouter) -> None:
        """Add the route."""

        @router.post("/pagerduty")
        async def pagerduty(request: Request) -> Response:
            """Take a version 3 webhook of PagerDuty."""
            body = await self.genuine(request)
            try:
                press = pagerduty_press(body)
            except UnreadableCallbackError as error:
                return _said(str(error), 200)
            if press is None:
                return _said("nothing to do", 200)
            async with asyncio.timeout(PAGERDUTY_WITHIN_S):
                answer = await self.callbacks.take(press)
            return _said(answer.text, _LATER if answer.again else 200)


class _Telegram(_Provider):
    via: Via = "telegram"

    def check(self, request: Request, body: bytes) -> None:
        del body  # Telegram signs nothing: it repeats what it was given with the webhook
        token = request.headers.get("x-telegram-bot-api-secret-token", "")
        verify_telegram(self.secret(), token=token)

    def add(self, router: APIRouter) -> None:
        """Add the route."""

        @router.post("/telegram")
        async def telegram(request: Request) -> Response:
            """Take an update of Telegram's webhook."""
            body = await self.genuine(request)
            config = self.service.config
            for token in telegram_tokens(config).values():
                bot = Telegram(token, url=config.endpoints.telegram_url)
                try:
                    taken = await answer_update(self.callbacks, bot, body)
                finally:
                    await bot.close()
                return _said("taken" if taken else "later", 200 if taken else _LATER)
            return _said("no bot is configured", 200)


def _said(text: str, status: int) -> Response:
    return _json({"said": text}, status)


def _json(value: object, status: int = 200) -> Response:
    return Response(_encode(value), status, media_type="application/json")
