"""The coverage page: what is watched, part by part, and what is missing.

The audit asks Prometheus several hundred questions. It is made at most once a minute, and never
while a page waits longer than it must: without live sources the offline audit is shown, and says
so.
"""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from abops.entry.web.pages import Pages, Place
from abops.entry.web.runbooks import CHECKOUT
from abops.inventory.load import load_inventory
from abops.inventory.model import Inventory
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.observability.coverage import GOAL, WEIGHTS, Finding, share_met
from abops.workflows.coverage import Live, coverage

PLACE: Final = Place("coverage", "/coverage", "Coverage", "coverage")
KEPT_FOR: Final = timedelta(minutes=1)


class Audit(NamedTuple):
    """One audit. `problem` says why it is not the live one."""

    at: datetime
    findings: tuple[Finding, ...]
    problem: str


class Line(NamedTuple):
    """One component: its needs in the order of the columns; None where a need does not apply."""

    component: str
    tier: int
    share: float
    cells: tuple[Finding | None, ...]


class Auditor:
    """Keeps the last audit for a minute; one is made at a time."""

    def __init__(self, inventory: Inventory, live: Live, clock: Clock) -> None:
        self._inventory, self._live, self._clock = inventory, live, clock
        self._lock = asyncio.Lock()
        self._last: Audit | None = None

    async def audit(self) -> Audit:
        """Return an audit that is at most a minute old."""
        async with self._lock:
            now = self._clock.now()
            if self._last is None or now - self._last.at > KEPT_FOR:
                self._last = await asyncio.to_thread(self._make, now)
            return self._last

    def _make(self, now: datetime) -> Audit:
        try:
            return Audit(now, coverage(self._inventory, CHECKOUT, self._clock, self._live), "")
        except OpsError as error:
            return Audit(now, coverage(self._inventory, CHECKOUT, self._clock), str(error))


def lines_of(findings: tuple[Finding, ...]) -> tuple[Line, ...]:
    """Return a line for each component, the worst covered first."""
    names = list(dict.fromkeys(finding.component for finding in findings))
    lines = []
    for name in names:
        own = [finding for finding in findings if finding.component == name]
        by_need = {finding.need: finding for finding in own}
        cells = tuple(by_need.get(need) for need in WEIGHTS)
        lines.append(Line(name, own[0].tier, share_met(own), cells))
    return tuple(sorted(lines, key=lambda line: (line.share, line.tier, line.component)))


def coverage_router(pages: Pages, inventory: Path, live: Live, clock: Clock) -> APIRouter:
    """Return the route of the coverage page."""
    router = APIRouter(include_in_schema=False)
    auditor = Auditor(load_inventory(inventory), live, clock)

    @router.get("/coverage")
    async def show(request: Request) -> Response:
        audit = await auditor.audit()
        missing = [finding for finding in audit.findings if not finding.met]
        return pages.show(
            request,
            "coverage.html",
            audit=audit,
            lines=lines_of(audit.findings),
            missing=sorted(missing, key=lambda f: (-f.weight, f.tier, f.component)),
            needs=tuple(WEIGHTS.items()),
            share=share_met(audit.findings),
            goal=GOAL,
        )

    return router
