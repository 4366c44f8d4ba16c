"""The statistics and what an incident's page says of the past, after a week that really happened.

Alerts of six days go their way through the alert service and the channel servers; only the clock
is ours. Then the console is started on what they left behind.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page

from abops.alerts.model import ServiceConfig, ServiceSettings
from abops.alerts.service import AlertService, run, scoring
from abops.entry.web.app import create_app
from abops.kernel.clock import SystemClock
from support import channels
from support.alerts import a_body, a_routing, an_alert, endpoints_of, eventually, told
from support.browser import DESK, PHONE, Console, findings, serving

pytestmark = pytest.mark.browser
LOOKS = [(size, theme) for size in (DESK, PHONE) for theme in ("light", "dark")]
SAYS = {
    "PostgresReplicaLag": "The replica is 42 s behind",
    "QueueGrowing": "1,204 tasks wait, 310 of them for 10 min",
    "ApiErrorStorm": "38 % of the API's requests fail",
    "PostgresDown": "PostgreSQL does not answer",
}


class ShiftedClock(SystemClock):
    """The machine's clock, moved."""

    shift = timedelta()

    def now(self) -> datetime:
        return super().now() + self.shift


class Week:
    """A week of one service."""

    def __init__(self, service: AlertService, clock: ShiftedClock) -> None:
        self._service = service
        self._clock = clock
        self._number = 0

    async def lives(self, name: str, part: str, *, ago: timedelta, **how: Any) -> None:  # noqa: ANN401 - options
        """Let an incident open, be taken or not, and end after so many minutes."""
        self._clock.shift = -ago
        self._number += 1
        alert = self._alert(name, part, how.get("severity", "warning"))
        await self._service.ingest(a_body(alert))
        await told(self._service, self._number)
        await asyncio.sleep(0.1)  # judged
        if by := how.get("by"):
            self._clock.shift += timedelta(seconds=how.get("after_s", 95))
            await self._service.ack(self._number, by=by)
        if note := how.get("note"):
            await self._service.note(self._number, note, by=by)
        if how.get("noise"):
            await self._service.noise(self._number, by="bo")
        self._clock.shift += timedelta(minutes=how.get("minutes", 2))
        now = self._clock.now().isoformat()
        await self._service.ingest(a_body({**alert, "status": "resolved", "endsAt": now}))

        async def over() -> bool:
            return (await self._service.incident(self._number)).summary.state == "resolved"

        await eventually(over, what="an incident over")

    async def opens(self, *alerts: tuple[str, str], ago: timedelta) -> None:
        """Open what is still there when people look."""
        self._clock.shift = -ago
        self._number += 1
        await self._service.ingest(a_body(*(self._alert(*of, "critical") for of in alerts)))
        await told(self._service, self._number)

        async def scored() -> bool:
            return (await self._service.incident(self._number)).summary.score is not None

        await eventually(scored, what="a score")
        self._clock.shift = timedelta()

    def _alert(self, name: str, part: str, severity: str) -> dict[str, Any]:
        alert = an_alert(name, severity=severity, service=part, instance=f"{part}-{self._number}")
        alert["startsAt"] = self._clock.now().isoformat()
        return alert | {"annotations": {"summary": SAYS[name]}}


async def _happen(week: Week) -> None:
    for hours in range(9):
        ago = timedelta(days=6, hours=-5 * hours)
        await week.lives("PostgresReplicaLag", "postgres", ago=ago, minutes=3, noise=hours < 4)
    for hours in range(7):
        ago = timedelta(days=4, hours=-6 * hours)
        await week.lives("QueueGrowing", "worker", ago=ago, minutes=22)
    for day in range(1, 6):
        ago = timedelta(days=day, hours=2)
        took = {"by": "ana" if day % 2 else "bo", "after_s": 70 + 15 * day}
        await week.lives("ApiErrorStorm", "api", ago=ago, minutes=14, severity="critical", **took)
    note = "A migration held a lock on posts; cancelled it, see the runbook's second table."
    ago = timedelta(days=3, hours=9)
    how = {"severity": "critical", "by": "ana", "note": note, "minutes": 31}
    await week.lives("PostgresDown", "postgres", ago=ago, **how)
    await week.opens(
        ("PostgresDown", "postgres"), ("ApiErrorStorm", "postgres"), ago=timedelta(seconds=50)
    )


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("week")
    inbox = channels.prepared(folder)
    clock = ShiftedClock()
    settings = ServiceSettings(resolve_after_s=1, heartbeat_timeout_s=1e9, gap_s=30)
    routing = replace(a_routing(), public_url="http://127.0.0.1:9600")
    config = ServiceConfig("local", routing, folder / "data", endpoints_of(inbox), settings)

    async def happen() -> None:
        service = AlertService(config, clock)
        await service.start()
        try:
            await _happen(Week(service, clock))
        finally:
            await service.stop()

    with channels.start(inbox), pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "TICK_S", 0.05)
        patch.setattr(scoring, "SETTLE_S", 0.01)
        with ThreadPoolExecutor(1) as beside:  # Playwright's own loop runs in this thread
            beside.submit(lambda: asyncio.run(happen())).result()
        with serving(create_app(AlertService(config, clock), clock=clock)) as console:
            yield console


def opened(
    browser: Browser,
    url: str,
    look: tuple[tuple[int, int], Any],
    *,
    scripts: bool = True,
) -> Page:
    (width, height), theme = look
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, java_script_enabled=scripts
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto(url)
    return page


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0][0]}-{look[1]}")
@pytest.mark.parametrize(
    ("name", "path"), [("statistics", "/alerts/statistics"), ("known-incident", "/incidents/23")]
)
def test_the_page_is_accessible_and_within_the_screen(  # noqa: PLR0917 - pytest fills them
    browser: Browser,
    week: Console,
    pictures: Path,
    name: str,
    path: str,
    look: tuple[tuple[int, int], Any],
) -> None:
    page = opened(browser, week.url + path, look)
    page.screenshot(path=pictures / f"{name}-{look[0][0]}-{look[1]}.png", full_page=True)
    width = page.evaluate("document.documentElement.scrollWidth")
    found = findings(page)
    page.context.close()
    assert [] == found
    assert width <= look[0][0]


def test_every_row_that_costs_people_proposes_a_change_without_scripts(
    browser: Browser, week: Console
) -> None:
    page = opened(browser, f"{week.url}/alerts/statistics", LOOKS[0], scripts=False)
    rows = page.locator("section[aria-labelledby=change] tbody tr").all_inner_texts()
    page.get_by_role("link", name="30 days").click()
    chosen = page.locator(".tabs a[aria-current]").inner_text()
    page.context.close()
    assert any(row.startswith("PostgresReplicaLag") and "hold" in row for row in rows)
    assert any(row.startswith("QueueGrowing") and "digest" in row for row in rows)
    assert "30 days" == chosen


def test_an_incident_shows_its_score_with_three_terms_and_what_it_looks_like(
    browser: Browser, week: Console
) -> None:
    page = opened(browser, f"{week.url}/incidents/23", LOOKS[0])
    terms = page.locator("section[aria-labelledby=act] li").count()
    first = page.locator(".similar li").first.inner_text()
    page.goto(f"{week.url}/incidents")
    listed = page.locator("tr.row").first.inner_text()
    page.context.close()
    assert 3 == terms
    assert "INC-22" in first
    assert "cancelled it" in first
    assert "somebody must act" in listed
