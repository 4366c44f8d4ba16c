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
        now = time.time_ns()
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
    for name in ("post", "failed"):
        at(page, f"/traces/{getattr(told, name)}")
        if name == "failed":
            page.locator(".span-row.is-failed summary").last.click()
        page.screenshot(path=pictures / f"trace-{name}-{size[0]}-{theme}.png", full_page=True)


def test_a_search_is_an_address(open_page: OpenPage, told: Told) -> None:
    page = open_page("/traces", live=False)
    rows = page.locator(".trace-list tbody tr")
    expect(rows).to_have_count(len(told.sent))
    page.locator("select[name=service]").select_option("analyticbot-worker")
    page.get_by_label("with errors").check()
    page.locator("select[name=min]").select_option("1s")
    page.get_by_role("button", name="Search").first.click()
    page.wait_for_url("**service=analyticbot-worker**errors=1**")
    assert [f"/traces/{t}" for t in (told.failed, told.late, told.loop)] == [
        link.get_attribute("href") for link in page.locator("[data-open]").all()
    ]
    page.locator("input[name=operation]").fill("sendMessage")
    page.keyboard.press("Enter")
    page.wait_for_url("**operation=sendMessage**")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("2 errors" if page.viewport_size == PHONE else "2")


def test_a_line_tells_what_a_trace_went_through(open_page: OpenPage) -> None:
    page = open_page("/traces", live=False)
    row = page.locator(".trace-list tbody tr").first
    assert ["api", "postgresql", "worker", "redis", "telegram"] == (
        row.locator(".t-through li").all_inner_texts()
    )
    expect(row).to_contain_text("766 ms")
    late = page.locator("tr", has_text="process bot.tasks.send_scheduled_message")
    expect(late).to_contain_text("beginning missing")


def test_the_keyboard_opens_a_trace_and_a_span(open_page: OpenPage, told: Told) -> None:
    page = open_page("/traces", live=False)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/traces/{told.post}")
    summary = page.locator("summary", has_text="sendMessage")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details[open] .span-more")).to_contain_text("peer.service")


def test_a_trace_shows_its_path_its_waiting_and_its_errors(open_page: OpenPage, told: Told) -> None:
    page = open_page(f"/traces/{told.failed}", live=False)
    task = page.locator(".span-row", has_text="process bot.tasks.send_message_task")
    expect(task).to_contain_text("waited 4.20 s")
    expect(task).to_contain_text("error")
    expect(task.locator("line.wait")).to_have_count(1)
    expect(task.locator("path.cross")).to_have_count(1)
    thin, thick = (task.locator(f"rect.{name}").first.bounding_box() for name in ("thin", "thick"))
    assert thin is not None
    assert thick is not None
    assert thick["height"] > 2 * thin["height"]
    expect(page.locator(".shares li").first).to_contain_text("waiting")
    colors = page.evaluate(
        "[...document.querySelectorAll('.span-legend .swatch rect')]"
        ".map((rect) => getComputedStyle(rect).fill)"
    )
    assert 2 == len(set(colors))


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("late", ["beginning missing", "1 late", "not kept: what began this"]),
        ("skewed", ["clocks differ", "clock off by 2.02 s"]),
        ("loop", ["more UPDATE", "more SELECT", "Show all 2.0k spans", "error"]),
    ],
)
def test_what_is_unusual_is_said(
    open_page: OpenPage, told: Told, name: str, texts: list[str]
) -> None:
    page = open_page(f"/traces/{getattr(told, name)}", live=False)
    for text in texts:
        expect(page.locator("main")).to_contain_text(text)


def test_a_long_trace_is_folded_until_all_of_it_is_wanted(open_page: OpenPage, told: Told) -> None:
    page = open_page(f"/traces/{told.loop}", live=False)
    assert 30 > page.locator(".span-row").count()
    page.get_by_role("link", name="Show all").click()
    page.wait_for_url("**all=1")
    expect(page.locator(".span-row")).to_have_count(2_001)


def test_everything_works_without_javascript(open_page: OpenPage, told: Told) -> None:
    page = open_page("/traces?service=analyticbot-bot", scripts=False)
    page.locator("[data-open]").first.click()
    page.wait_for_url(f"**/traces/{told.skewed}")
    page.locator("summary", has_text="SELECT").click()
    expect(page.locator("details[open]")).to_contain_text("db.system.name")
    at(page, "/traces")
    page.get_by_label("or open a trace").fill(told.post.upper())
    page.get_by_role("button", name="Open").click()
    page.wait_for_url(f"**/traces/{told.post}")


def test_the_search_of_all_pages_knows_traces(open_page: OpenPage, told: Told) -> None:
    page = open_page("/incidents")
    page.keyboard.press("/")
    page.keyboard.type(told.post)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/traces/{told.post}")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/traces")


def test_a_trace_that_is_not_there_says_why_and_where_else(open_page: OpenPage) -> None:
    page = open_page(f"/traces/{'0' * 31}2", live=False)
    expect(page.locator("main")).to_contain_text("One trace in ten is kept")
    expect(page.locator("main")).to_contain_text("abops stack logs api | grep")
    at(page, "/traces/4bf92f3577b34da6")
    expect(page.locator("main")).to_contain_text("has 16 characters")


def test_a_jaeger_that_is_away_is_said_and_the_rest_works(
    browser: Browser, silent: Console
) -> None:
    context = browser.new_context()
    page = context.new_page()
    for path in ("/traces", f"/traces/{'0' * 31}2"):
        answer = page.goto(silent.url + path)
        assert answer is not None
        assert 503 == answer.status
        expect(page.locator("main")).to_contain_text("Jaeger does not answer")
        expect(page.locator("main")).to_contain_text("abops stack restart jaeger")
        assert [] == findings(page)
    answer = page.goto(silent.url + "/incidents")
    assert answer is not None
    assert 200 == answer.status
    context.close()


@pytest.mark.parametrize("path", ["/traces", "/traces/{post}", "/traces/{loop}"])
def test_a_page_loads_from_here_only_and_within_its_weight(
    browser: Browser, console: Console, told: Told, path: str
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
    page.goto(console.url + path.format(post=told.post, loop=told.loop))
    page.wait_for_load_state("networkidle")
    context.close()
    assert [] == [url for url in urls if not url.startswith(console.url)]
    assert [] == blocked
    assert sum(weights) <= BUDGET_BYTES
