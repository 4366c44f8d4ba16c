"""The bot's connections to Telegram, measured as calls to another service.

aiogram makes its own aiohttp session and takes no trace config; its one method that makes it is
replaced. Polls are left out: they wait for news by design and would make Telegram look slow.
"""

from typing import Any

from aiogram.client.session.aiohttp import AiohttpSession
from aiohttp import ClientSession

from abops_instrument.http_client import aiohttp_trace

POLL = "/getUpdates"


class MeasuredSession(AiohttpSession):
    """aiogram's session with `http_client_request_duration_seconds`."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - aiogram's
        super().__init__(**options)
        self._trace = aiohttp_trace(skip=lambda path: path.endswith(POLL))

    async def create_session(self) -> ClientSession:
        """Return the session; a new one is measured from its first request on."""
        made = await super().create_session()
        if self._trace not in made.trace_configs:
            self._trace.freeze()
            made.trace_configs.append(self._trace)
        return made
