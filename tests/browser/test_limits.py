"""What every page keeps to: weight, own sources only, accessible, fit for a phone."""

import pytest
from playwright.sync_api import Browser

from abops.alerts.model import Delivery, Member, Readiness, TimelineEntry
from abops.kernel.clock import SystemClock
from support.browser import DESK, PHONE, Console, OpenPage, findings
from support.console import MemoryService, a_detail, an_alert, an_incident

pytestmark = pytest.mark.browser

PAGES = {
    "incidents": "/incidents",
    "incident": "/incidents/42",
    "acked": "/incidents/40",
    "resolved": "/incidents?state=resolved",
    "nothing-matches": "/incidents?service=bot&state=acked",
    "search": "/search?q=api",
    "runbook": "/runbooks/ApiErrorStorm",
    "help": "/help",
    "missing": "/incidents/999",
}
BUDGET_BYTES = 200 * 1024


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_no_page_has_a_serious_accessibility_finding(
    open_page: OpenPage, size: tuple[int, int], theme: str
) -> None:
    page = open_page(size=size, theme=theme)
    found = {}
    for name, path in PAGES.items():
        page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/")[2] + path)
        found[name] = findings(page)
    page.keyboard.press("?")
    found["help overlay"] = findings(page)
    assert {} == {name: list_ for name, list_ in found.items() if list_}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_empty_list_and_the_warning_above_it_are_accessible_too(
    open_page: OpenPage, service: MemoryService, theme: str
) -> None:
    service.details.clear()
    service.ready = Readiness(ready=False, reasons=("the disk is full",))
    assert [] == findings(open_page(theme=theme))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_line_that_offers_to_undo_is_accessible_and_within_the_page(
    open_page: OpenPage, size: tuple[int, int], theme: str
) -> None:
    page = open_page("/incidents/42", size=size, theme=theme)
    page.keyboard.press("a")
    page.wait_for_selector("#toast button")
    page.wait_for_selector("form.unack")
    assert [] == findings(page)
    assert size[0] >= page.evaluate("document.documentElement.scrollWidth")


def test_the_states_of_the_connection_are_readable(open_page: OpenPage, console: Console) -> None:
    page = open_page()
    console.stop()
    page.wait_for_selector("#live[data-state=stale]")
    assert [] == findings(page)
    console.start()


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_a_page_loads_from_here_only_and_within_its_weight(
    browser: Browser, console: Console, path: str
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
    page.on("console", lambda said: blocked.append(said.text) if "Policy" in said.text else None)
    page.goto(console.url + path)
    page.wait_for_load_state("load")
    context.close()
    assert [] == [url for url in urls if not url.startswith(console.url)]
    assert len(urls) > 5
    assert [] == blocked
    assert sum(weights) <= BUDGET_BYTES


def test_inline_code_is_not_run(browser: Browser, console: Console) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(console.url + "/incidents")
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.bad = 1';"
        " document.body.append(s); }"
    )
    assert page.evaluate("window.bad") is None
    context.close()


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_nothing_scrolls_sideways_on_a_phone(open_page: OpenPage, path: str) -> None:
    page = open_page(path, size=PHONE, touch=True, live=False)
    assert PHONE[0] == page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_words_without_end_do_not_break_a_page(
    open_page: OpenPage, service: MemoryService, size: tuple[int, int]
) -> None:
    word = "x" * 250
    now = SystemClock().now()
    alert = an_alert(
        word,
        labels={"instance": word, "pod": word},
        annotations={"summary": word * 4, "impact": word, "threshold": word, "value": word},
        starts_at=now,
    )
    told = Delivery(word[:60], "open", "retry", 12, now, None, None, word * 4)
    summary = an_incident(
        99, title=f"{word}: {word}", service=word, team=word, alerts=9_999_999, opened_at=now
    )
    entry = TimelineEntry(now, "opened", word * 2, word)
    service.details[99] = a_detail(
        summary, Member(alert, word, now), timeline=(entry,), deliveries=(told,)
    )
    for path in ("/incidents", "/incidents/99", "/search?q=inc"):
        page = open_page(path, size=size, touch=size == PHONE, live=False)
        assert size[0] == page.evaluate("document.documentElement.scrollWidth"), path
    # Without scripts the part stays the same element: one replaced meanwhile has no box.
    page = open_page("/incidents/99", size=size, touch=size == PHONE, scripts=False)
    box = page.get_by_role("button", name="Ack").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < size[1] - 56


def test_acknowledging_needs_no_scrolling_on_a_phone(open_page: OpenPage) -> None:
    page = open_page("/incidents/42", size=PHONE, touch=True, scripts=False)
    button = page.get_by_role("button", name="Ack")
    box, bar = button.bounding_box(), page.locator(".rail").bounding_box()
    assert box is not None
    assert bar is not None
    assert box["y"] + box["height"] < bar["y"]
    assert box["height"] >= 44


def test_all_actions_can_be_reached_by_tab(open_page: OpenPage) -> None:
    page = open_page("/incidents/42")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim().slice(0, 20)"))
    assert {"Skip to the content", "Incidents", "Ack a", "dark"} <= reached
