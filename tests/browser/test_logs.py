"""The page of the logs in a real browser: accessible, fit for a phone, complete without scripts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from support.browser import DESK, PHONE, Console, OpenPage, findings, serving
from support.console import FixedClock, MemoryService
from support.log_answers import TRACE, a_hit, a_store, an_answer

pytestmark = pytest.mark.browser
INVENTORY = Path(__file__).parents[2] / "platform.yaml"
LINES = (
    a_hit(1, **{"log.level": "error", "trace.id": TRACE, "message": "x" * 600}),
    a_hit(2, **{"log.level": "warning", "error.stack_trace": "Traceback\n" * 40}),
    *(a_hit(number) for number in range(3, 40)),
)


@pytest.fixture
def console(service: MemoryService, runbooks: Path) -> Iterator[Console]:
    with a_store(an_answer(*LINES, total=900)) as (url, _):
        sources = Sources(inventory=INVENTORY, logs=url)
        app = create_app(service, clock=FixedClock(), runbooks=runbooks, sources=sources)
        with serving(app) as console:
            yield console


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_is_accessible_and_keeps_to_its_width(
    open_page: OpenPage, size: tuple[int, int], theme: str
) -> None:
    page = open_page("/logs", size=size, theme=theme, live=False)
    page.locator("details.log-line summary").nth(0).click()
    page.locator("details.log-line summary").nth(1).click()
    assert [] == findings(page)
    assert size[0] == page.evaluate("document.documentElement.scrollWidth")


def test_without_scripts_words_are_searched_and_a_line_opens(open_page: OpenPage) -> None:
    page = open_page("/logs", scripts=False, live=False)
    page.get_by_label("words").fill("pool")
    page.get_by_label("level").select_option("error")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page).to_have_url(re.compile("q=pool.*level=error"))
    expect(page.get_by_label("words")).to_have_value("pool")
    line = page.locator("details.log-line").first
    expect(line.get_by_role("link", name=TRACE)).to_be_hidden()
    line.locator("summary").click()
    expect(line.get_by_role("link", name=TRACE)).to_be_visible()


def test_a_line_opens_by_keyboard(open_page: OpenPage) -> None:
    page = open_page("/logs", live=False)
    page.locator("details.log-line summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details.log-line").first).to_have_attribute("open", "")
