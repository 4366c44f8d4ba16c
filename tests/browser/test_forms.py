"""Working on an incident in a real browser: by form, by key, without scripts, on a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from support.browser import DESK, PHONE, findings
from support.servers import wait_until
from support.work import SignIn, Work

pytestmark = pytest.mark.browser


WORDS = "Ash Birch Cedar Elder Fir Gorse Hazel Ivy Juniper Kiwi Larch Maple Nutmeg Oak Pine"
_kinds = iter(WORDS.split())


@pytest.fixture
def number(work: Work) -> int:
    """Return an incident of two alerts of its own kind, so that no other test's joins it."""
    kind = next(_kinds)
    begun = _count(work)
    for place in ("a", "b"):
        work.fires(f"{kind}Down", kind.lower(), instance=place)
    wait_until(lambda: _count(work) == begun + 1, what="an incident")
    return _count(work)


def _count(work: Work) -> int:
    return len(work.console.ask(work.desk.service.incidents, limit=1_000))


def test_everything_can_be_done_by_keyboard(sign_in: SignIn, number: int) -> None:
    page = sign_in("olga", f"/incidents/{number}")
    page.wait_for_selector("#live[data-state=live]")
    page.keyboard.press("c")
    expect(page.locator("#note-text")).to_be_focused()
    page.keyboard.type("a lock on posts")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".timeline")).to_contain_text("a lock on posts")
    expect(page.locator(".said")).to_contain_text("on the timeline")
    page.keyboard.press("w")
    page.keyboard.type("bo")
    page.keyboard.press("Enter")
    expect(page.locator("header.incident")).to_contain_text("bo's")
    page.keyboard.press("s")
    expect(page.locator("#matchers")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#do-silence")).not_to_have_attribute("open", "")
    expect(page.locator("#do-silence summary")).to_be_focused()
    page.keyboard.press("r")
    page.keyboard.type(f"INC-{number}")
    page.keyboard.press("Enter")
    expect(page.locator("header.incident")).to_contain_text("resolved")


def test_only_one_form_is_open_at_a_time(sign_in: SignIn, number: int) -> None:
    page = sign_in("olga", f"/incidents/{number}")
    page.locator("#do-note summary").click()
    page.locator("#do-silence summary").click()
    expect(page.locator(".do[open]")).to_have_count(1)


def test_what_is_typed_survives_news_of_the_incident(
    sign_in: SignIn, work: Work, number: int
) -> None:
    page = sign_in("rosa", f"/incidents/{number}")
    page.wait_for_selector("#live[data-state=live]")
    page.keyboard.press("c")
    page.keyboard.type("half a sen")
    page.locator("h1").click()
    work.console.ask(work.desk.service.note, number, "from elsewhere", by="bo")
    expect(page.locator(".timeline")).to_contain_text("from elsewhere")
    expect(page.locator("#note-text")).to_have_value("half a sen")


def test_alerts_are_silenced_and_split_off_without_scripts(sign_in: SignIn, number: int) -> None:
    page = sign_in("olga", f"/incidents/{number}", scripts=False)
    page.locator("#do-silence summary").click()
    page.get_by_label("2 h", exact=True).check()
    page.get_by_label("Why nobody has to be told").fill("we move it")
    page.get_by_role("button", name="Silence").click()
    expect(page.locator(".alerts")).to_contain_text("we move it")
    page.locator(".alerts input[type=checkbox]").first.check()
    page.get_by_role("button", name="Split off").click()
    expect(page.locator(".said")).to_contain_text("the new incident")
    expect(page.locator(".alerts tbody tr")).to_have_count(1)


def test_a_refusal_stands_at_its_form(sign_in: SignIn, number: int) -> None:
    page = sign_in("rosa", f"/incidents/{number}", scripts=False)
    page.locator("#do-silence summary").click()
    page.locator("#matchers").fill("service~api")
    page.get_by_label("Why nobody has to be told").fill("typo")
    page.get_by_role("button", name="Silence").click()
    expect(page.locator("#do-silence [role=alert]")).to_contain_text("cannot read")
    expect(page.locator("#matchers")).to_have_value("service~api")
    expect(page.locator("#do-silence #silence-reason")).to_have_value("typo")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_form_is_accessible_and_fits(
    sign_in: SignIn, number: int, pictures: Path, size: tuple[int, int], theme: str
) -> None:
    page = sign_in("olga", f"/incidents/{number}", size=size, theme=theme)
    found = {}
    for action in ("assign", "note", "silence", "merge", "noise", "resolve"):
        page.locator(f"#do-{action} summary").click()
        page.screenshot(path=pictures / f"form-{action}-{size[0]}-{theme}.png", full_page=True)
        found[action] = findings(page)
        assert size[0] >= page.evaluate("document.documentElement.scrollWidth")
    assert {} == {action: some for action, some in found.items() if some}
