"""Updates that Telegram delivers, on the bot's own port beside its metrics and its health.

An update is answered when it is handled: a bot that dies in the middle gets it again. The
address stays set when the bot stops, so that updates wait at Telegram while it is deployed.
Health asks for no poll here: the bot is healthy once Telegram knows where to deliver. If
somebody else sets another address, or Telegram forgets ours, it is set again at the next look.
"""

import asyncio
import contextlib
import hmac
import logging

from aiogram import Bot, Dispatcher
from aiogram.exceptions import AiogramError, TelegramUnauthorizedError
from aiogram.types import Update
from aiohttp import web
from pydantic import ValidationError

from abops_instrument import counter, render
from apps.settings import WEBHOOK_PATH, Settings

log = logging.getLogger("bot.app")
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
CONNECTIONS = 20
"""Updates that Telegram may deliver at once: above the connection pool they would only wait."""


class PortTakenError(Exception):
    """Nothing can be served on the bot's port."""


class Webhook:
    """The bot's HTTP side in webhook mode."""

    def __init__(self, bot: Bot, dispatcher: Dispatcher, config: Settings) -> None:
        self._bot, self._dispatcher, self._config = bot, dispatcher, config
        self._is_set = False
        self._refused = counter(
            "auth_failures_total", "Callers who did not prove who they are.", ("reason",)
        )

    async def serve(self, port: int, stop: asyncio.Event) -> None:
        """Serve until `stop` is set.

        Raises PortTakenError, and TelegramUnauthorizedError when the token is of no use.
        """
        app = web.Application()
        app.router.add_post(WEBHOOK_PATH, self.take)
        app.router.add_get("/health", self.health)
        app.router.add_get("/metrics", _metrics)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=10)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._config.metrics_host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise PortTakenError(f"METRICS_PORT {port}: {error.strerror}") from error
        watching, stopping = asyncio.create_task(self._watch()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching  # it ends by an error only: then the bot must end too
        finally:
            await runner.cleanup()

    async def take(self, request: web.Request) -> web.Response:
        """Handle one update; 403 for whoever does not know the secret."""
        # Bytes that are no UTF-8 come as surrogates; they must be refused, not raise.
        secret = request.headers.get(SECRET_HEADER, "").encode(errors="surrogateescape")
        if not hmac.compare_digest(secret, self._config.webhook_secret.encode()):
            self._refused.labels("webhook_secret").inc()
            return web.json_response({"error": "forbidden"}, status=403)
        try:
            update = Update.model_validate_json(await request.read(), context={"bot": self._bot})
        except ValidationError:
            return web.json_response({"error": "not an update"}, status=400)
        await self._dispatcher.feed_update(self._bot, update)
        return web.json_response({})

    async def health(self, _request: web.Request) -> web.Response:
        """Say whether Telegram knows where to deliver."""
        if self._is_set:
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "failing", "reason": "webhook not set"}, status=503)

    async def _watch(self) -> None:
        """Keep the address set, and the gauge of waiting updates current."""
        while True:
            try:
                await self._look()
            except TelegramUnauthorizedError:
                raise
            except AiogramError as error:
                log.warning("webhook: no answer of use: %s", type(error).__name__)
            # Until it is set every second counts; after that it is a matter of watching.
            await asyncio.sleep(self._config.webhook_look_s if self._is_set else 2.0)

    async def _look(self) -> None:
        info = await self._bot.get_webhook_info()
        if info.url == self._config.webhook_url and self._is_set:
            return
        if self._is_set:
            log.error("webhook: Telegram delivers elsewhere; the address is set again")
            self._is_set = False
        # Also when the address is ours already: the secret may be a new one.
        await self._bot.set_webhook(
            self._config.webhook_url,
            secret_token=self._config.webhook_secret,
            max_connections=CONNECTIONS,
            allowed_updates=self._dispatcher.resolve_used_update_types(),
        )
        self._is_set = True


async def _metrics(request: web.Request) -> web.Response:
    page, content_type = await asyncio.to_thread(render, request.headers.get("Accept", ""))
    return web.Response(body=page, headers={"Content-Type": content_type})
