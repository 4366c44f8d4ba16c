import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from abops.entry.web.app import create_app
from abops.kernel.clock import SystemClock
from support.browser import DESK, Console, OpenPage, chromium, serving
from support.console import MemoryService, a_bad_night
from support.desk import PASSWORD, Desk
from support.work import SignIn, Work

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def service() -> MemoryService:
    return MemoryService(a_bad_night(SystemClock().now()))


@pytest.fixture
def runbooks(tmp_path: Path) -> Path:
    (tmp_path / "ApiErrorStorm.md").write_text(RUNBOOK)
    return tmp_path


@pytest.fixture
def console(service: MemoryService, runbooks: Path) -> Iterator[Console]:
    with serving(create_app(service, runbooks=runbooks)) as console:
        yield console


@pytest.fixture
def open_page(browser: Browser, console: Console) -> Iterator[OpenPage]:
    """Open a page of the console; the test fails when the page complains in its own console."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(
        path: str = "/incidents",
        *,
        size: tuple[int, int] = DESK,
        theme: str = "light",
        scripts: bool = True,
        touch: bool = False,
        live: bool = True,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
            has_touch=touch,
            is_mobile=touch,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("console", lambda said: complaints.append(said.text) if said.type in BAD else None)
        page.goto(console.url + path)
        if scripts and live:
            page.wait_for_selector("#live[data-state=live]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [] == [line for line in complaints if not line.startswith("Failed to load resource")]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    with serving(desk.app) as console:
        yield Work(desk, console)


@pytest.fixture
def sign_in(browser: Browser, work: Work) -> Iterator[SignIn]:
    contexts: list[BrowserContext] = []

    def sign_in(
        name: str,
        path: str = "/incidents",
        *,
        scripts: bool = True,
        size: tuple[int, int] = DESK,
        theme: str = "light",
    ) -> Page:
        context = browser.new_context(
            base_url=work.console.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(f"/login?next={path}")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{path}")
        return page

    yield sign_in
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Return where pictures go. A run leaves the tree as it is unless ABOPS_PICTURES says so."""
    folder = ROOT / os.environ.get("ABOPS_PICTURES", "test-results/pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


BAD = {"error", "warning"}
RUNBOOK = """\
# ApiErrorStorm

More than 5 % of the API's answers are errors of its own (5xx).

## What users notice
Channel owners see an error instead of their dashboard, and the bot cannot store new posts.

## First two minutes
1. Is the database there? `abops stack status postgres`
2. One endpoint or all of them?

   ```
   sum by (handler) (rate(http_requests_total{status=~"5.."}[1m]))
   ```

3. Was there a deploy in the last 30 minutes? Roll it back first, ask later.

| what you see | likely cause | do |
|---|---|---|
| all endpoints fail, the database is down | PostgreSQL | go to PostgresDown |
| one endpoint fails | its last change | roll back |
| it comes and goes every few minutes | the connection pool | raise `DB_POOL_SIZE` |
"""
