"""A real console for a real browser: the application under uvicorn, and Chromium.

The application runs in a thread, so that a test can hold the service behind it and change what
the pages show.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import axe_playwright_python
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright

from abops.stack.tools import find_tool
from support.servers import free_port, wait_until

T = TypeVar("T")
OpenPage = Callable[..., Page]
DESK, PHONE = (1440, 900), (390, 844)
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
FLAGS = (
    "--no-sandbox",  # tests run as root; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Console:
    """The application, served on a free port of loopback until stopped."""

    def __init__(self, app: FastAPI, port: int | None = None) -> None:
        self.app = app
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        config = uvicorn.Config(
            self.app,
            host="127.0.0.1",
            port=self.port,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        server = self._server = uvicorn.Server(config)

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await server.serve()

        thread = self._thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        wait_until(lambda: server.started or not thread.is_alive(), what="the console")
        assert server.started

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join(20)
            assert not self._thread.is_alive()

    def ask(self, question: Callable[..., Awaitable[T]], *given: Any, **named: Any) -> T:  # noqa: ANN401 - the question's
        """Await an answer where the application runs."""
        assert self._loop is not None

        async def call() -> T:
            return await question(*given, **named)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(20)

    def run(self, action: Callable[[], T]) -> T:
        """Run `action` where the application runs and return its result."""
        assert self._loop is not None

        async def call() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(20)


@contextmanager
def serving(app: FastAPI, port: int | None = None) -> Iterator[Console]:
    """Serve `app` until the block ends."""
    console = Console(app, port)
    console.start()
    try:
        yield console
    finally:
        console.stop()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(find_tool("chromium")), args=list(FLAGS)
        )
        try:
            yield browser
        finally:
            browser.close()


def findings(page: Page, within: str = "html") -> list[str]:
    """Return axe-core's serious and critical findings."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate("part => axe.run(part)", within)
    return [
        f"{found['impact']}: {found['id']}: {node['html'][:160]} {node.get('failureSummary', '')}"
        for found in result["violations"]
        if found["impact"] in {"serious", "critical"}
        for node in found["nodes"]
    ]
