"""Pictures of the boards, for the documentation and for people to judge.

The committed boards over a real Prometheus that serves a written day (`support/day.py`).
`ABOPS_PICTURES=docs/images pytest tests/browser/test_board_pictures.py` renews those in the tree.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from support.browser import DESK, PHONE, Console, serving
from support.console import MemoryService
from support.day import DAY_S, Day
from support.history import start_prometheus, write_past

pytestmark = pytest.mark.browser

PAGES = {
    "boards": "/dashboards",
    "board-objectives": "/dashboards/ab-sla-slo?env=local&from=now-24h",
    "board-business": "/dashboards/ab-business?env=local&from=now-24h",
    "board-api": "/dashboards/ab-api?env=local&from=now-24h",
}
LOOKS = [(size, theme) for size in (DESK, PHONE) for theme in ("light", "dark")]


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("day") / "data"
    end = time.time() // 60 * 60  # noqa: TID251 - Prometheus reads the machine's clock
    write_past(folder, Day(end).series(), start=end - 1.2 * DAY_S, end=end, step=60)
    month = Day(end).month()
    write_past(folder, month, start=end - 30 * DAY_S, end=end - 1.2 * DAY_S, step=240)
    with start_prometheus(folder) as prometheus:
        app = create_app(MemoryService(), sources=Sources(prometheus=prometheus.url))
        with serving(app) as console:
            yield console


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0][0]}-{look[1]}")
@pytest.mark.parametrize("name", PAGES)
def test_a_picture_of_a_board_is_taken(
    browser: Browser, console: Console, pictures: Path, name: str, look: tuple[tuple[int, int], Any]
) -> None:
    (width, height), theme = look
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = context.new_page()
    page.goto(console.url + PAGES[name])
    if name != "boards":
        page.wait_for_selector("#board[data-loaded]")
        assert not page.locator(".panel-note.is-failed").count()
    picture = pictures / f"{name}-{width}-{theme}.png"
    page.screenshot(path=picture)
    context.close()
    assert picture.stat().st_size > 10_000
