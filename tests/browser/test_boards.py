"""Boards in a real browser, with a real Prometheus whose past was written beforehand."""

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from abops.kernel.clock import SystemClock
from abops.observability.panels.units import figure
from support.boards import UID, a_board, a_panel, a_past, write_board
from support.browser import DESK, PHONE, Console, OpenPage, findings, serving
from support.console import MemoryService
from support.history import start_prometheus, write_past
from support.servers import Server, free_port

pytestmark = pytest.mark.browser


class MovedClock(SystemClock):
    """The machine's clock, moved on."""

    by_s = 0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.by_s)

    def monotonic(self) -> float:
        return super().monotonic() + self.by_s


BUDGET_BYTES = 200 * 1024
BOARD = f"/dashboards/{UID}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("boards")
    end = time.time() // 15 * 15  # noqa: TID251 - Prometheus reads the machine's clock
    write_past(home / "data", a_past(end), start=end - 3 * 3600, end=end)
    write_board(home / "boards")
    return home


@pytest.fixture(scope="module")
def prometheus(folder: Path) -> Iterator[Server]:
    with start_prometheus(folder / "data") as server:
        yield server


@pytest.fixture
def console(folder: Path, prometheus: Server) -> Iterator[Console]:
    sources = Sources(prometheus=prometheus.url, dashboards=folder / "boards")
    with serving(create_app(MemoryService(), sources=sources)) as console:
        yield console


def drawn(page: Page) -> Page:
    """Wait until every panel of the open rows has its answer."""
    page.wait_for_selector("#board[data-loaded]")
    return page


def opened(page: Page) -> Page:
    """Open the collapsed row as well."""
    page.locator("details.board-row > summary").last.click()
    expect(page.locator("#panel-13 .bars")).to_be_visible()
    return page


def legend(page: Page, panel: int) -> list[str]:
    return page.locator(f"#panel-{panel} .legend button").all_inner_texts()


def test_a_board_shows_every_kind_of_panel(open_page: OpenPage) -> None:
    page = opened(drawn(open_page(f"{BOARD}?env=local", live=False)))
    expect(page.locator("#panel-2 .stat-value")).to_contain_text("req/s")
    expect(page.locator("#panel-3 .stat-value")).to_contain_text("42 %")
    expect(page.locator("#panel-4")).to_contain_text("no data: nothing was measured")
    expect(page.locator("#panel-8")).to_contain_text("parse error")
    expect(page.locator("#panel-12")).to_contain_text("down")
    expect(page.locator("#panel-13 .bars li")).to_have_count(2)
    expect(page.locator("#panel-14 a")).to_have_attribute("href", "/logs")
    expect(page.locator("#panel-15")).to_contain_text("not drawn here")
    assert 2 == page.locator(".uplot canvas").count()
    expect(page.locator("#board-state")).to_have_attribute("data-state", "live")


def test_a_collapsed_row_is_asked_when_it_is_opened(open_page: OpenPage) -> None:
    page = drawn(open_page(BOARD, live=False))
    with page.expect_request("**/query") as asked:
        page.locator("details.board-row > summary").last.click()
    assert [11, 12, 13] == json.loads(asked.value.post_data or "")["panels"]


def test_choices_are_an_address_that_can_be_sent(open_page: OpenPage) -> None:
    page = drawn(open_page(BOARD, live=False))
    page.locator("select[name=env]").select_option("local")
    page.wait_for_url("**env=local**")
    page.locator("select[name=service]").select_option("worker")
    page.wait_for_url("**service=worker**")
    drawn(page)
    assert "env=local" in page.url
    expect(page.locator("#panel-6")).to_contain_text("no data")
    page.locator("select[name='from']").select_option("now-3h")
    page.wait_for_url("**from=now-3h**")
    expect(page.locator(".board-time")).to_contain_text(re.compile(r"\d\d:\d\d to .*UTC"))


def test_earlier_later_and_longer_are_links(open_page: OpenPage) -> None:
    page = drawn(open_page(f"{BOARD}?env=local", live=False))
    page.get_by_role("link", name="Earlier").click()
    page.wait_for_url("**to=**")
    assert "env=local" in page.url
    expect(page.locator("select[name='from'] option:checked")).to_have_text("as chosen")
    page.get_by_role("link", name="Longer time").click()
    drawn(page)
    page.locator("select[name='from']").select_option("now-1h")
    page.wait_for_url("**from=now-1h**")
    expect(page.locator("select[name='from'] option:checked")).to_have_text("last 1h")


def test_charts_share_the_cursor_and_the_keyboard_moves_it(open_page: OpenPage) -> None:
    page = drawn(open_page(f"{BOARD}?env=local", live=False))
    newest = legend(page, 7)
    page.locator("#panel-6 .plot").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#panel-6 [role=status]")).to_contain_text(re.compile(r"\d\d:\d\d: api \d"))
    assert newest != legend(page, 7)
    page.keyboard.press("Escape")
    assert newest == legend(page, 7)


def test_dragging_over_a_chart_shows_that_time(open_page: OpenPage) -> None:
    page = drawn(open_page(f"{BOARD}?env=local", live=False))
    box = page.locator("#panel-6 .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 30, steps=4)
    page.mouse.up()
    page.wait_for_url("**from=1**")
    drawn(page)
    start, end = (int(found) for found in re.findall(r"(?:from|to)=(\d+)", page.url))
    assert 60_000 < end - start < 3_600_000


def test_a_series_can_be_hidden_and_stays_hidden(open_page: OpenPage) -> None:
    page = drawn(open_page(f"{BOARD}?env=local", live=False))
    button = page.locator("#panel-6 .legend button").first
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_alerts_are_marks_and_a_list(open_page: OpenPage) -> None:
    page = drawn(open_page(f"{BOARD}?env=local", live=False))
    page.locator("#marks summary").click()
    expect(page.locator("#marks li")).to_have_text(re.compile(r"\d\d:\d\d to .*: WorkerDown"))


def test_each_panel_tells_its_meaning_and_its_query(open_page: OpenPage) -> None:
    page = drawn(open_page(f"{BOARD}?env=local", live=False))
    page.get_by_label("About Errors").click()
    sheet = page.locator("#panel-6 .sheet")
    expect(sheet).to_contain_text("What errors is for.")
    expect(sheet).to_contain_text('errors{env=~"local",service=~".*"}')
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 1000, 390])
def test_what_a_panel_tells_is_never_beside_the_page(
    browser: Browser, console: Console, folder: Path, width: int
) -> None:
    places = [{"x": x, "y": 0, "w": 4, "h": 4} for x in range(0, 24, 4)]
    stats = [a_panel(n + 1, "stat", f"S{n}", "up", gridPos=p) for n, p in enumerate(places)]
    write_board(
        folder / "boards", a_board(*stats, uid="ab-stats", title="Figures", description="-")
    )
    context = browser.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    page.goto(f"{console.url}/dashboards/ab-stats")
    drawn(page)
    main = page.locator("main").bounding_box()
    assert main is not None
    for number in range(6):
        page.get_by_label(f"About S{number}").click()
        box = page.locator(f"#panel-{number + 1} .sheet").bounding_box()
        assert box is not None
        assert main["x"] <= box["x"]
        assert box["x"] + box["width"] <= width
        page.keyboard.press("Escape")
    context.close()


def test_when_prometheus_stops_the_picture_stays_and_says_its_age(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    port = free_port()
    end = time.time() // 15 * 15  # noqa: TID251 - Prometheus reads the machine's clock
    write_past(tmp_path / "data", a_past(end), start=end - 3600, end=end, step=60)
    sources = Sources(prometheus=f"http://127.0.0.1:{port}", dashboards=folder / "boards")
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    clock = MovedClock()

    def later(seconds: int) -> None:
        clock.by_s += seconds
        page.clock.fast_forward(seconds * 1000)

    with serving(create_app(MemoryService(), clock=clock, sources=sources)) as console:
        with start_prometheus(tmp_path / "data", port=port):
            page.goto(f"{console.url}{BOARD}?env=local&refresh=60")
            drawn(page)
            expect(page.locator("#panel-6 .legend")).to_contain_text("api")
        later(120)
        state = page.locator("#board-state")
        expect(state).to_have_attribute("data-state", "stale")
        expect(state).to_contain_text(re.compile(r"No answer, picture \d m old"))
        expect(page.locator("#panel-6 .panel-age")).to_contain_text(re.compile(r"\d m old"))
        expect(page.locator("#panel-6 .legend")).to_contain_text("api")
        assert [] == findings(page)
        with start_prometheus(tmp_path / "data", port=port):
            later(60)
            expect(state).to_have_attribute("data-state", "live")
            expect(page.locator("#panel-6 .panel-age")).to_be_hidden()
    later(60)
    expect(state).to_have_attribute("data-state", "stale")
    expect(page.locator("#panel-6 .legend")).to_contain_text("api")
    context.close()


def test_without_javascript_every_panel_has_its_meaning_and_value(open_page: OpenPage) -> None:
    page = open_page(f"{BOARD}?env=local", scripts=False)
    page.wait_for_url("**values=1**")
    expect(page.locator("#panel-3")).to_contain_text("What budget is for.")
    expect(page.locator("#panel-3")).to_contain_text("42 %")
    expect(page.locator("#panel-9 tbody tr")).to_have_count(2)
    expect(page.locator("#panel-8")).to_contain_text("parse error")
    page.locator("select[name=service]").select_option("api")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**service=api**")
    expect(page.locator("#panel-6 dt")).to_have_text("api")


def test_two_keys_lead_to_the_boards(open_page: OpenPage) -> None:
    page = open_page("/incidents")
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/dashboards")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("go to Dashboards")


def test_the_list_of_boards_leads_to_one(open_page: OpenPage) -> None:
    page = open_page("/dashboards", live=False)
    expect(page.locator(".board-list")).to_contain_text("A panel of every kind.")
    page.get_by_role("link", name="Small").click()
    page.wait_for_url(f"**{BOARD}")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_boards_have_no_serious_accessibility_finding(
    open_page: OpenPage, size: tuple[int, int], theme: str
) -> None:
    page = opened(drawn(open_page(f"{BOARD}?env=local", size=size, theme=theme, live=False)))
    assert [] == findings(page)
    page.get_by_label("About Errors").click()
    assert [] == findings(page)
    assert size[0] == page.evaluate("document.documentElement.scrollWidth")
    page = open_page("/dashboards", size=size, theme=theme, live=False)
    assert [] == findings(page)
    assert size[0] == page.evaluate("document.documentElement.scrollWidth")


def test_a_board_loads_from_here_only_and_within_its_weight(
    browser: Browser, console: Console
) -> None:
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    urls: list[str] = []
    weights: list[float] = []
    session.on("Network.requestWillBeSent", lambda event: urls.append(event["request"]["url"]))
    session.on("Network.loadingFinished", lambda event: weights.append(event["encodedDataLength"]))
    blocked: list[str] = []
    page.on("console", lambda said: blocked.append(said.text))
    page.goto(f"{console.url}{BOARD}?env=local")
    drawn(page)
    context.close()
    assert [] == [url for url in urls if not url.startswith(console.url)]
    assert [] == blocked
    assert sum(weights) <= BUDGET_BYTES


def test_figures_are_written_alike_by_server_and_script(open_page: OpenPage) -> None:
    page = open_page(BOARD, live=False)
    numbers = [0, 1e-7, 0.0004, 0.0123, 0.5, 0.9996, 1, 1.26, 9.99, 42, 99.97, 123.4, 1024, 1234.6]
    numbers += [59.7, 3600, 90_061, 1e6, 3.4e9, -3.2, -5000]
    units = ["percentunit", "percent", "short", "s", "ms", "m", "h", "bytes", "Bps", "reqps"]
    units += ["ops", "iops", "pps", "currencyUSD", "bool"]
    cases = [[n, u, d] for n in numbers for u in units for d in (None, 1)]
    script = page.evaluate(
        """async (cases) => {
          const own = document.querySelector('script[src*="boards/page.js"]').src;
          const { figure } = await import(new URL('units.js', own));
          return cases.map((given) => figure(...given));
        }""",
        cases,
    )
    assert [figure(n, u, d) for n, u, d in cases] == script  # type: ignore[arg-type]
