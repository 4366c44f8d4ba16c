"""What pages have in common that show what Prometheus knows of the things in the inventory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from abops.clients.prometheus_queries import PrometheusQueries
from abops.entry.web.pages import Pages
from abops.inventory.load import load_inventory
from abops.inventory.model import Inventory


class PrometheusPages:
    """The pages, and Prometheus behind them while the application runs."""

    def __init__(self, pages: Pages, inventory: Path, url: str) -> None:
        self._pages = pages
        self._path = inventory
        self._inventory: Inventory | None = None
        self._client = PrometheusQueries(url)

    @property
    def inventory(self) -> Inventory:
        """Return the inventory, read when a page first needs it."""
        if self._inventory is None:
            self._inventory = load_inventory(self._path)
        return self._inventory

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Hold the connections to Prometheus."""
        async with self._client:
            yield
