"""The page about backups over a real Prometheus: can it be restored, and what stands against it.

`ABOPS_PICTURES=docs/images pytest tests/browser/test_backups.py` renews the pictures.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from support.browser import DESK, PHONE, Console, findings, serving
from support.console import MemoryService
from support.protection import backups_in_prometheus
from support.servers import free_port

pytestmark = pytest.mark.browser

LOOKS = [(size, theme) for size in (DESK, PHONE) for theme in ("light", "dark")]


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    now = time.time() // 60 * 60  # noqa: TID251 - Prometheus reads the machine's clock
    with backups_in_prometheus(tmp_path_factory.mktemp("backups"), now) as prometheus:
        app = create_app(MemoryService(), sources=Sources(prometheus=prometheus.url))
        with serving(app) as console:
            yield console


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": DESK[0], "height": DESK[1]})
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


def test_the_question_is_answered_first_and_only_from_what_was_restored(
    page: Page, console: Console
) -> None:
    page.goto(f"{console.url}/backups")
    expect(page.locator(".verdict")).to_have_text(
        "Yes, it can be restored, from eu: what was restored was compared with what there was."
    )


def test_each_destination_says_what_stands_against_it_with_its_runbook(
    page: Page, console: Console
) -> None:
    page.goto(f"{console.url}/backups")
    table = page.get_by_role("table", name="Destinations")
    states = table.locator(".f-mark").all_inner_texts()
    assert ["ok", "at risk", "look"] == [state.strip() for state in states]
    us = table.get_by_role("row").nth(2)
    expect(us.locator("li")).to_have_text(
        [
            "the newest backup is 1d 06h old",
            "7 WAL segments missing",
            "the log waits for it since 41m 00s",
        ]
    )
    us.get_by_role("link", name="7 WAL segments missing").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("BackupWalGap")


def test_restores_are_drawn_by_phase_on_one_scale(page: Page, console: Console) -> None:
    page.goto(f"{console.url}/backups")
    bars = page.locator(".backup-bar")
    expect(bars).to_have_count(2)
    expect(bars.first).to_have_attribute(
        "aria-label", "provision 0.40 s, fetch 21.4 s, replay 6.2 s, promote 1.1 s, checks 9.8 s"
    )
    ends = []
    for bar in bars.all():
        last = bar.locator("rect").last
        ends.append(float(last.get_attribute("x") or 0) + float(last.get_attribute("width") or 0))
    assert [73, 100] == [round(end) for end in ends]


def test_without_prometheus_the_page_says_what_to_do(page: Page) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with serving(create_app(MemoryService(), sources=Sources(prometheus=nowhere))) as console:
        page.goto(f"{console.url}/backups")
        expect(page.locator(".empty")).to_contain_text("Prometheus does not answer")
        expect(page.locator(".empty")).to_contain_text("abops backup status")
        assert [] == findings(page)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0][0]}-{look[1]}")
def test_a_picture_is_taken_of_a_page_that_everybody_can_use(
    browser: Browser, console: Console, pictures: Path, look: tuple[tuple[int, int], Any]
) -> None:
    (width, height), theme = look
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = context.new_page()
    page.goto(f"{console.url}/backups")
    assert [] == findings(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"backups-{width}-{theme}.png")
    context.close()
