"""The alert service behind its web server, as a program talks to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from fastapi import FastAPI

from support.alerts import TOKEN, eventually
from support.servers import free_port


@asynccontextmanager
async def listening(app: FastAPI, port: int | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve an application; give a client that carries the tests' token."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port or free_port(), log_config=None, timeout_graceful_shutdown=1)
    )
    running = asyncio.create_task(server.serve())
    try:
        await eventually(_started(server), what="the server is up")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{server.config.port}"
        async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await running


def _started(server: uvicorn.Server) -> Callable[[], Awaitable[bool]]:
    async def started() -> bool:
        return server.started

    return started
