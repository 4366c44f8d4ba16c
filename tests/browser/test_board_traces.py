"""Events with a trace on a board: marks for the pointer, a list for everybody."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from support.boards import a_board, a_panel, write_board
from support.browser import PHONE, Console, OpenPage, findings, serving
from support.console import MemoryService
from support.exemplars import FAST, SLOW, prometheus_with_exemplars
from support.servers import Server

pytestmark = pytest.mark.browser
QUANTILE = 'histogram_quantile(0.9, sum by (le) (latency_seconds_bucket{env=~"$env"}))'
BOARD = "/dashboards/ab-traced?env=local"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with prometheus_with_exemplars(tmp_path_factory.mktemp("exemplars")) as server:
        yield server


@pytest.fixture
def console(tmp_path: Path, prometheus: Server) -> Iterator[Console]:
    seconds, ratio = {"unit": "s"}, {"unit": "percentunit"}
    heat = 'sum by (le) (latency_seconds_bucket{env=~"$env"})'
    panels = [
        a_panel(1, "timeseries", "Latency", QUANTILE, defaults=seconds),
        a_panel(2, "heatmap", "All of it", heat, defaults=seconds),
        a_panel(3, "timeseries", "Share", QUANTILE, defaults=ratio),
    ]
    write_board(tmp_path, a_board(*panels, uid="ab-traced", title="Traced"))
    sources = Sources(prometheus=prometheus.url, dashboards=tmp_path)
    with serving(create_app(MemoryService(), sources=sources)) as console:
        yield console


def drawn(page: Page) -> Page:
    page.wait_for_selector("#board[data-loaded]")
    expect(page.locator("#panel-1 .dot").first).to_be_visible()
    return page


def leads(page: Page, place: str) -> list[str | None]:
    return [link.get_attribute("href") for link in page.locator(place).all()]


@pytest.mark.parametrize("panel", [1, 2])
def test_the_slowest_event_is_marked_and_listed_first(open_page: OpenPage, panel: int) -> None:
    page = drawn(open_page(BOARD, live=False))
    assert f"/traces/{SLOW}" in leads(page, f"#panel-{panel} .dot")
    page.locator(f"#panel-{panel} .panel-traces > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    link = page.locator(":focus")
    expect(link).to_have_attribute("href", f"/traces/{SLOW}")
    expect(page.locator(f"#panel-{panel} .panel-traces li").first).to_contain_text("820 ms")
    expect(page.locator(f"#panel-{panel} .panel-traces li").first).to_contain_text("/reports")
    assert [] == findings(page)
    page.keyboard.press("Escape")
    expect(page.locator(f"#panel-{panel} .panel-traces ol")).to_be_hidden()
    expect(page.locator(f"#panel-{panel} .panel-traces > summary")).to_be_focused()


def test_a_mark_leads_to_its_trace(open_page: OpenPage) -> None:
    page = drawn(open_page(BOARD, live=False))
    page.locator(f'#panel-1 .dot[href="/traces/{SLOW}"]').click()
    page.wait_for_url(f"**/traces/{SLOW}")


def test_on_a_heat_map_marks_stand_on_its_cells(open_page: OpenPage) -> None:
    page = drawn(open_page(BOARD, live=False))
    cells = page.locator("#panel-2 canvas").bounding_box()
    bounds = page.locator("#panel-2 .bounds").bounding_box()
    mark = page.locator(f'#panel-2 .dot[href="/traces/{SLOW}"]').bounding_box()
    assert cells is not None
    assert bounds is not None
    assert mark is not None
    assert bounds["x"] + bounds["width"] <= cells["x"]
    middle = mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2
    assert cells["x"] <= middle[0] <= cells["x"] + cells["width"]
    assert cells["y"] <= middle[1] <= cells["y"] + cells["height"] / 2


def test_a_panel_that_does_not_show_seconds_has_no_marks(open_page: OpenPage) -> None:
    page = drawn(open_page(BOARD, live=False))
    expect(page.locator("#panel-3 .legend")).to_be_visible()
    expect(page.locator("#panel-3 .dot")).to_have_count(0)
    expect(page.locator("#panel-3 .panel-traces")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_the_list_fits_the_page(open_page: OpenPage, theme: str) -> None:
    page = drawn(open_page(BOARD, size=PHONE, theme=theme, live=False))
    page.locator("#panel-1 .panel-traces > summary").click()
    assert [] == findings(page)
    assert PHONE[0] == page.evaluate("document.documentElement.scrollWidth")


def test_without_javascript_the_list_is_there(open_page: OpenPage) -> None:
    page = open_page(BOARD, scripts=False)
    page.wait_for_url("**values=1**")
    page.locator("#panel-1 .panel-traces > summary").click()
    links = leads(page, "#panel-1 .panel-traces a")
    assert f"/traces/{SLOW}" == links[0]
    assert {f"/traces/{SLOW}", f"/traces/{FAST}"} >= set(links)
    expect(page.locator("#panel-1 .panel-traces li").first).to_contain_text("820 ms")
