"""The console in a real browser: what it shows, how it stays current, how it is worked."""

import re
from datetime import timedelta

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, Route, expect

from abops.entry.web import wording
from abops.entry.web.app import create_app
from abops.entry.web.assets import Assets
from abops.kernel.clock import SystemClock
from support.browser import PHONE, Console, OpenPage, serving
from support.console import MemoryService, a_detail, an_incident

pytestmark = pytest.mark.browser


class RenewedAssets(Assets):
    """The files of the next release."""

    def __init__(self) -> None:
        super().__init__()
        self.version = "renewed"


def numbers(page: Page) -> list[str]:
    return [re.sub(r"\s+", "", text) for text in page.locator(".c-number").all_inner_texts()]


def opens(console: Console, service: MemoryService, number: int = 43, **fields: object) -> None:
    now = SystemClock().now()
    incident = an_incident(number, opened_at=now, **fields)
    console.run(lambda: service.put(a_detail(incident)))


def test_the_list_shows_what_is_wrong_worst_first(open_page: OpenPage) -> None:
    page = open_page()
    assert ["INC-42", "INC-41", "INC-38", "INC-37", "INC-40"] == numbers(page)
    expect(page.locator(".counts")).to_contain_text("2 critical")
    expect(page).to_have_title(re.compile(r"^\(2\) Incidents"))


def test_a_new_incident_appears_without_loading_the_page_again(
    open_page: OpenPage, console: Console, service: MemoryService
) -> None:
    page = open_page()
    page.evaluate("window.kept = true")
    opens(console, service, title="RedisDown: Redis does not answer")
    expect(page.locator(".row").first).to_contain_text("Redis does not answer RedisDown")
    expect(page.locator(".counts")).to_contain_text("3 critical")
    assert page.evaluate("window.kept")


def test_nothing_jumps_under_the_pointer(
    open_page: OpenPage, console: Console, service: MemoryService
) -> None:
    page = open_page()
    page.locator(".row", has_text="INC-41").hover()
    opens(console, service, 43)
    opens(console, service, 44)
    bar = page.locator("#newbar")
    expect(bar).to_have_text("2 new: show")
    assert ["INC-42", "INC-41"] == numbers(page)[:2]
    bar.click()
    expect(page.locator(".row").first).to_contain_text("INC-44")
    expect(bar).to_be_hidden()


def test_on_a_phone_the_list_waits_for_a_touch(
    open_page: OpenPage, console: Console, service: MemoryService
) -> None:
    page = open_page(size=PHONE, touch=True)
    opens(console, service)
    expect(page.locator("#newbar")).to_have_text("1 new: show")
    page.locator("#newbar").tap()
    expect(page.locator(".row").first).to_contain_text("INC-43")


def test_a_row_changes_in_place_and_keeps_the_focus(
    open_page: OpenPage, console: Console, service: MemoryService
) -> None:
    page = open_page()
    page.keyboard.press("j")
    opens(console, service, 42, title="api: everything fails", revision=5, alerts=19)
    row = page.locator(".row", has_text="INC-42")
    expect(row).to_contain_text("everything fails")
    expect(row.locator(".c-alerts")).to_contain_text("19")
    expect(row.locator("a[data-open]")).to_be_focused()


def test_the_list_is_worked_by_keyboard(open_page: OpenPage, service: MemoryService) -> None:
    page = open_page()
    for key in "jjk":
        page.keyboard.press(key)
    expect(page.locator('tr[data-key="42"] a[data-open]')).to_be_focused()
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("INC-42 is acked by console")
    expect(page.locator('tr[data-key="42"]')).to_contain_text("acked by console")
    assert "acked" == service.details[42].summary.state
    expect(page.locator("#newbar")).to_be_hidden()
    page.keyboard.press("o")
    page.wait_for_url("**/incidents/42")
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_url("**/incidents")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("INC-41")
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents/41")


def test_help_opens_and_closes_by_key(open_page: OpenPage) -> None:
    page = open_page()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    expect(page.locator("#help")).to_contain_text("acknowledge it")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


def test_keys_typed_into_a_field_do_nothing_else(
    open_page: OpenPage, service: MemoryService
) -> None:
    page = open_page("/incidents/42")
    page.locator("main input[name=by]").press_sequentially("ana?")
    expect(page.locator("main input[name=by]")).to_have_value("ana?")
    expect(page.locator("#help")).to_be_hidden()
    assert "open" == service.details[42].summary.state


def test_acknowledging_an_incident_by_its_button(
    open_page: OpenPage, service: MemoryService
) -> None:
    page = open_page("/incidents/42")
    page.locator("main input[name=by]").fill("ana")
    page.get_by_role("button", name="Ack").click()
    expect(page.locator("header.incident")).to_contain_text("acked by ana")
    expect(page.locator(".timeline")).to_contain_text("acknowledged by ana")
    expect(page.get_by_role("button", name="Ack", exact=True)).to_have_count(0)
    assert "ana" == service.details[42].summary.acked_by


def test_acknowledging_an_incident_by_its_key(open_page: OpenPage, service: MemoryService) -> None:
    page = open_page("/incidents/41")
    page.keyboard.press("a")
    expect(page.locator("header.incident")).to_contain_text("acked by console")
    assert "acked" == service.details[41].summary.state


def test_acknowledging_works_without_javascript(
    open_page: OpenPage, service: MemoryService
) -> None:
    page = open_page(scripts=False)
    page.locator(".row", has_text="INC-42").locator("a").click()
    page.locator("main input[name=by]").fill("ana")
    page.get_by_role("button", name="Ack").click()
    expect(page.locator("header.incident")).to_contain_text("acked by ana")
    assert "ana" == service.details[42].summary.acked_by


def test_an_acknowledgement_is_undone_from_the_list(
    open_page: OpenPage, service: MemoryService
) -> None:
    page = open_page()
    row = page.locator('tr[data-key="42"]')
    row.get_by_role("button", name="Acknowledge INC-42").click()
    expect(row).to_contain_text("acked by console")
    page.locator("#toast").get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_have_text("INC-42 is open again: nobody takes care of it")
    expect(row.get_by_role("button", name="Acknowledge INC-42")).to_be_visible()
    assert "open" == service.details[42].summary.state
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("Undo")
    page.keyboard.press("u")
    expect(row.get_by_role("button", name="Acknowledge INC-42")).to_be_visible()


def test_an_acknowledgement_of_somebody_else_is_not_offered_for_undoing(
    open_page: OpenPage, console: Console, service: MemoryService
) -> None:
    page = open_page("/incidents/42")

    def taken_meanwhile(route: Route) -> None:
        summary = replace(service.details[42].summary, state="acked", acked_by="bo")
        console.run(lambda: service.put(replace(service.details[42], summary=summary), "updated"))
        route.continue_()

    page.route("**/incidents/42/ack", taken_meanwhile)
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_have_text("INC-42 is acked by bo")


@pytest.mark.parametrize("scripts", [True, False])
def test_taking_an_acknowledgement_back_by_its_button(
    open_page: OpenPage, service: MemoryService, *, scripts: bool
) -> None:
    page = open_page("/incidents/40", scripts=scripts)
    expect(page.locator("header.incident")).to_contain_text("acked by ana")
    page.get_by_role("button", name="Un-ack").click()
    expect(page.locator("header.incident .state-open")).to_have_text("open")
    expect(page.locator(".timeline")).to_contain_text("takes care of it no longer")
    expect(page.get_by_role("button", name="Ack", exact=True)).to_be_visible()
    assert "open" == service.details[40].summary.state


def test_filters_and_theme_work_without_javascript(open_page: OpenPage) -> None:
    page = open_page(scripts=False)
    page.locator("select[name=severity]").select_option("warning")
    page.get_by_role("button", name="Filter").click()
    assert ["INC-38", "INC-40"] == numbers(page)
    page.get_by_role("button", name="dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert ["INC-38", "INC-40"] == numbers(page)


def test_a_filter_is_an_address_that_can_be_sent(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("select[name=service]").select_option("bot")
    page.wait_for_url("**/incidents?*service=bot*")
    assert ["INC-41"] == numbers(page)
    page.get_by_role("link", name="resolved").click()
    page.wait_for_url("**/incidents?*state=resolved*")
    expect(page.locator(".empty")).to_contain_text("No incident matches")
    page.get_by_role("link", name="Show all active incidents").click()
    page.wait_for_url("**/incidents")


def test_the_theme_is_kept(open_page: OpenPage) -> None:
    page = open_page()
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    with page.expect_response("**/preferences/theme"):
        page.get_by_role("button", name="dark").click()
    expect(page.get_by_role("button", name="dark")).to_have_attribute("aria-pressed", "true")
    page.reload()
    assert light != page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_lost_connection_shows_how_old_the_picture_is(
    open_page: OpenPage, console: Console, service: MemoryService
) -> None:
    page = open_page()
    console.stop()
    live = page.locator("#live")
    expect(live).to_have_attribute("data-state", "stale")
    expect(live).to_contain_text(re.compile(r"Reconnecting, data \d+ s old"))
    assert "INC-42" in numbers(page)
    opened = SystemClock().now() - timedelta(seconds=1)
    service.put(a_detail(an_incident(43, opened_at=opened)))
    console.start()
    expect(live).to_have_attribute("data-state", "live", timeout=20_000)
    expect(page.locator(".row").first).to_contain_text("INC-43")


def test_more_tabs_than_a_browser_has_connections_are_all_live(
    open_page: OpenPage, console: Console, service: MemoryService
) -> None:
    first = open_page()
    tabs = [first.context.new_page() for _ in range(7)]
    for tab in tabs:
        tab.goto(f"{console.url}/incidents")
        tab.wait_for_selector("#live[data-state=live]", timeout=10_000)
    opens(console, service)
    expect(tabs[-1].locator(".row").first).to_contain_text("INC-43")
    first.close()
    opens(console, service, 44)
    expect(tabs[-1].locator(".row").first).to_contain_text("INC-44", timeout=10_000)


def test_a_page_of_an_older_version_loads_the_new_one(
    open_page: OpenPage,
    console: Console,
    service: MemoryService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = open_page()
    console.stop()
    page.wait_for_selector("#live[data-state=stale]")
    monkeypatch.setattr("abops.entry.web.app.Assets", RenewedAssets)
    with serving(create_app(service), console.port):
        style = page.locator("link[rel=stylesheet]").first
        expect(style).to_have_attribute("href", re.compile("/renewed/"), timeout=20_000)
        page.wait_for_selector("#live[data-state=live]")
    console.start()


def test_ages_are_written_alike_by_server_and_script(open_page: OpenPage) -> None:
    page = open_page()
    seconds = [0, 1, 59, 60, 61, 3599, 3600, 3661, 86399, 86400, 90061, 864000]
    script = page.evaluate(
        """async (seconds) => {
          const own = document.querySelector('script[type=module]').src;
          const { age } = await import(new URL('js/time.js', own));
          return seconds.map(age);
        }""",
        seconds,
    )
    assert [wording.ago(timedelta(seconds=s)) for s in seconds] == script


def test_a_failed_action_says_so(open_page: OpenPage, console: Console) -> None:
    page = open_page("/incidents/42")

    def refuse(route: Route) -> None:
        route.fulfill(status=503)

    page.route("**/incidents/42/ack", refuse)
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("Not done: answer 503")
    expect(page.locator("header.incident")).to_contain_text("open")
    assert console.url in page.url


@pytest.mark.parametrize("scripts", [True, False], ids=["by keys", "without scripts"])
def test_several_incidents_are_acknowledged_at_once(
    open_page: OpenPage, console: Console, service: MemoryService, *, scripts: bool
) -> None:
    page = open_page(scripts=scripts)
    button = page.get_by_role("button", name="Acknowledge what is ticked")
    expect(button).to_be_hidden()
    if scripts:
        page.keyboard.press("j")
        page.keyboard.press("x")
        opens(console, service, 42, title="api: all of it fails", revision=5, alerts=20)
        expect(page.locator(".row", has_text="INC-42")).to_contain_text("all of it fails")
        page.keyboard.press("j")
        page.keyboard.press("x")
    else:
        for number in (42, 41):
            page.get_by_label(f"Tick INC-{number}").check()
    button.click()
    expect(page.locator('tr[data-key="41"]')).to_contain_text("acked")
    states = {number: detail.summary.state for number, detail in service.details.items()}
    assert ["acked", "acked", "open"] == [states[number] for number in (41, 42, 38)]
