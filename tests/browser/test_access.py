"""Signing in with a real browser: with and without scripts, on a desk and on a phone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from abops.alerts.model import Actor
from abops.alerts.service.access import Access
from abops.entry.web.app import create_app
from support.browser import DESK, PHONE, Console, findings, serving
from support.console import MemoryService

PASSWORD = "correct horse battery"  # noqa: S105 - of a test's own people
BY = Actor("tests", "cli")
NewPage = Callable[..., Page]


@pytest.fixture
def guarded(service: MemoryService, runbooks: Path, tmp_path: Path) -> Iterator[Console]:
    access = Access(tmp_path)
    access.open()
    for name, role in (("ada", "admin"), ("vera", "viewer")):
        access.accept(access.invite(name, role, BY), PASSWORD)
    access.close()
    with serving(create_app(service, runbooks=runbooks, access=Access(tmp_path))) as console:
        yield console


@pytest.fixture
def new_page(browser: Browser, guarded: Console) -> Iterator[NewPage]:
    contexts: list[BrowserContext] = []

    def new_page(
        *, scripts: bool = True, size: tuple[int, int] = DESK, theme: str = "light"
    ) -> Page:
        context = browser.new_context(
            base_url=guarded.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        return page

    yield new_page
    for context in contexts:
        context.close()


def sign_in(page: Page, name: str, path: str = "/incidents") -> None:
    page.goto(path)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")


def test_an_acknowledgement_and_its_undoing_carry_the_forms_token(new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, "ada")
    page.wait_for_selector("#live[data-state=live]")
    page.get_by_role("button", name="Acknowledge INC-42").click()
    expect(page.locator("#toast")).to_contain_text("INC-42 is acked by ada")
    page.locator("#toast").get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_contain_text("INC-42 is open again")


def test_without_scripts_one_signs_in_acts_and_signs_out(
    new_page: NewPage, service: MemoryService
) -> None:
    page = new_page(scripts=False)
    sign_in(page, "ada", "/incidents/42")
    page.get_by_role("button", name="Ack").click()
    expect(page.get_by_role("button", name="Un-ack")).to_be_visible()
    assert "ada" == service.details[42].summary.acked_by
    page.get_by_role("button", name="dark").first.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Sign out").first.click()
    page.wait_for_url("**/login")
    page.goto("/incidents/42")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_viewer_has_no_buttons_that_change_something(new_page: NewPage) -> None:
    page = new_page()
    sign_in(page, "vera")
    expect(page.locator("form[data-ack], form[data-unack]")).to_have_count(0)
    page.goto("/incidents/42")
    expect(page.locator("form[data-ack], form[data-unack]")).to_have_count(0)
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_pages_of_access_are_accessible_and_fit(
    new_page: NewPage, size: tuple[int, int], theme: str
) -> None:
    page = new_page(size=size, theme=theme)
    page.goto("/login")
    assert [] == findings(page)
    sign_in(page, "ada")
    for path in ("/users", "/audit"):
        page.goto(path)
        assert [] == findings(page)
        assert size[0] >= page.evaluate("document.documentElement.scrollWidth")
