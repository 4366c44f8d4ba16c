"""The pages of traces in a real browser, over a real Jaeger."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from support import traces
from support.browser import DESK, PHONE, Console, OpenPage, findings, serving
from support.console import MemoryService
from support.servers import answers, free_port, wait_until
from support.traces import Jaeger, start_jaeger, trace_of

pytestmark = pytest.mark.browser

BUDGET_BYTES = 200 * 1024
MINUTE_NS = 60 * 1_000_000_000


class Told:
    """The traces that Jaeger has, by what they are about."""

    def __init__(self, jaeger: Jaeger) -> None:
        now = time.time_ns()  # noqa: TID251 - Jaeger reads the machine's clock
        self.jaeger = jaeger
        self.sent: list[str] = []
        for number in range(14):
            self._send(traces.a_post(now - (number + 4) * 3 * MINUTE_NS, wait_ms=20 + 45 * number))
        self.post = self._send(traces.a_post(now - MINUTE_NS))
        self.failed = self._send(traces.a_post(now - 5 * MINUTE_NS, wait_ms=4_200, failed=True))
        self.late = self._send(traces.a_late_task(now - 8 * MINUTE_NS))
        self.skewed = self._send(traces.a_skewed_call(now - 11 * MINUTE_NS))
        self.loop = self._send(traces.a_loop(now - 17 * MINUTE_NS))
        for trace in self.sent:
            url = f"{jaeger.url}/api/v3/traces/{trace}"
            wait_until(lambda url=url: answers(url), what=f"trace {trace}")  # type: ignore[misc]

    def _send(self, spans: list[dict[str, object]]) -> str:
        self.jaeger.take(*spans)
        self.sent.append(trace_of(spans))
        return self.sent[-1]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with start_jaeger(tmp_path_factory.mktemp("jaeger")) as jaeger:
        yield Told(jaeger)


@pytest.fixture
def console(told: Told) -> Iterator[Console]:
    sources = Sources(jaeger=told.jaeger.url)
    with serving(create_app(MemoryService(), sources=sources)) as console:
        yield console


@pytest.fixture
def silent() -> Iterator[Console]:
    """A console whose Jaeger does not answer."""
    sources = Sources(jaeger=f"http://127.0.0.1:{free_port()}")
    with serving(create_app(MemoryService(), sources=sources)) as console:
        yield console


def at(page: Page, path: str) -> Page:
    page.goto(re.sub(r"(http://[^/]+).*", r"\1", page.url) + path)
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_pages_have_no_serious_finding_and_do_not_scroll_sideways(
    open_page: OpenPage, told: Told, size: tuple[int, int], theme: str
) -> None:
    page = open_page("/traces", size=size, theme=theme, live=False)
    paths = ["/traces", "/traces?service=nobody", "/traces?min=x", "/traces/xyz"]
    paths += [f"/traces/{'0' * 31}1"]
    paths += [f"/traces/{t}" for t in (told.post, told.failed, told.late, told.skewed, told.loop)]
    for path in paths:
        at(page, path)
        for summary in page.locator("main summary").all()[:6]:
            summary.click()
        assert [] == findings(page), path
        assert size[0] == page.evaluate("document.documentElement.scrollWidth"), path


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pictures(
    open_page: OpenPage, told: Told, pictures: Path, size: tuple[int, int], theme: str
) -> None:
    page = open_page("/traces?since=1h", size=size, theme=theme, live=False)
    page.screenshot(path=pictures / f"traces-{size[0]}-{theme}.png")
    for name in ("post", "failed", "late", "skewed", "loop"):
        at(page, f"/traces/{getattr(told, name)}")
        if name == "failed":
            page.locator(".span-row.is-failed summary").last.click()
        page.screenshot(path=pictures / f"trace-{name}-{size[0]}-{theme}.png", full_page=True)
