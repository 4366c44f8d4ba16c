"""The console in front of the real alert service: an alert comes in by webhook, a person acts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from abops.alerts.service import AlertService
from abops.entry.web.app import create_app
from abops.kernel.clock import SystemClock
from support.alerting import a_firing, a_service, post_alerts
from support.browser import Console, serving
from support.servers import free_port

pytestmark = pytest.mark.browser


@pytest.fixture
def alerting(tmp_path: Path) -> AlertService:
    return a_service(tmp_path, slack_port=free_port())


@pytest.fixture
def served(alerting: AlertService) -> Iterator[Console]:
    with serving(create_app(alerting)) as console:
        yield console


@pytest.fixture
def page(browser: Browser, served: Console) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{served.url}/incidents")
    page.wait_for_selector("#live[data-state=live]")
    yield page
    context.close()


def fire(console: Console, service: AlertService, name: str = "ApiErrorStorm") -> None:
    alert = a_firing(
        name,
        "api",
        SystemClock().now(),
        summary="38 % of the API's requests fail",
        impact="Channel owners see errors.",
        threshold="0.5 ratio",
    )
    post_alerts(console.url, service, alert)


def test_an_alert_becomes_a_row_and_is_acknowledged_without_loading_a_page_again(
    page: Page, served: Console, alerting: AlertService
) -> None:
    expect(page.locator(".empty")).to_contain_text("abops alerts fire --test")
    page.evaluate("window.kept = true")
    fire(served, alerting)
    row = page.locator(".row")
    expect(row).to_contain_text("38 % of the API's requests fail")
    expect(page.locator(".counts")).to_contain_text("1 critical")
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(row).to_contain_text("acked by console")
    assert page.evaluate("window.kept")
    page.keyboard.press("o")
    expect(page.locator("header.incident")).to_contain_text("acked by console")
    expect(page.locator(".timeline")).to_contain_text("console takes care of it")


def test_an_open_page_of_an_incident_follows_it(
    page: Page, served: Console, alerting: AlertService
) -> None:
    fire(served, alerting)
    page.locator(".row a[data-open]").click()
    expect(page.locator("#why")).to_be_visible()
    expect(page.locator(".why")).to_contain_text("Channel owners see errors.")
    expect(page.locator("[data-live=told]")).to_contain_text("slack-ops")
    expect(page.locator("[data-live=told]")).to_contain_text("trying again")
    page.get_by_label("Your name").focus()
    fire(served, alerting, "ApiLatencyHigh")
    expect(page.locator("[data-live=alerts]")).to_contain_text("ApiLatencyHigh")
    expect(page.locator("[data-live=alerts]")).to_contain_text("2 firing of 2")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.get_by_label("Your name").fill("ana")
    page.get_by_role("button", name="Ack").click()
    expect(page.locator("header.incident")).to_contain_text("acked by ana")


def test_acknowledging_without_javascript_reaches_the_store(
    browser: Browser, served: Console, alerting: AlertService
) -> None:
    fire(served, alerting)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served.url}/incidents")
    page.locator(".row").get_by_role("button", name="Acknowledge INC-1").click()
    expect(page.locator(".row")).to_contain_text("acked by console")
    context.close()


def test_what_was_acknowledged_is_there_after_a_restart(
    page: Page, served: Console, alerting: AlertService
) -> None:
    fire(served, alerting)
    page.locator(".row").get_by_role("button").click()
    expect(page.locator(".row")).to_contain_text("acked by console")
    served.stop()
    expect(page.locator("#live")).to_have_attribute("data-state", "stale")
    again = AlertService(alerting.config)
    with serving(create_app(again), served.port):
        expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=20_000)
        expect(page.locator(".row")).to_contain_text("acked by console")
