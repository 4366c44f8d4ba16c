"""Silences and maintenance windows in a real browser: with a few of each state."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from abops.alerts.route.window import Schedule
from support.browser import DESK, PHONE, findings
from support.servers import wait_until
from support.work import SignIn, Work

pytestmark = pytest.mark.browser
LOOKS = [(size, theme) for size in (DESK, PHONE) for theme in ("light", "dark")]


@pytest.fixture(scope="module", autouse=True)
def _busy(work: Work) -> None:
    """Keep silences and windows of every state."""
    ask, service = work.console.ask, work.desk.service
    for place in ("web-1", "web-2", "web-3"):
        work.fires("ApiLatencyHigh", "api", severity="warning", instance=place)
    wait_until(lambda: sum(i.firing for i in ask(service.incidents)) == 3, what="three alerts")
    now = work.desk.clock.now()

    def at(**ahead: float) -> float:
        return (now + timedelta(**ahead)).timestamp()

    ask(
        service.silence,
        'alertname="ApiLatencyHigh", service="api", instance=~"web-1|web-2"',
        ends_at=at(hours=2),
        reason="A load test until noon, asked for by the product team",
        by="rosa",
    )
    ask(
        service.silence,
        'service="worker", severity=~"warning|info"',
        starts_at=at(hours=5),
        ends_at=at(hours=6),
        reason="The queue is refilled from the archive",
        by="ada",
    )
    gone = ask(service.silence, 'env="dev"', ends_at=at(hours=1), reason="a rebuild", by="rosa")
    ask(service.unsilence, gone, by="ada")
    every_week = Schedule(("sat", "sun"), "02:00", "2h", "Europe/Berlin")
    ask(
        service.window,
        "Weekly vacuum",
        'service="postgres"',
        reason="Locks for minutes are normal then",
        by="olga",
        schedule=every_week,
    )
    ask(
        service.window,
        "New disk for the database",
        'service="postgres", category!="backup"',
        reason="The volume is grown; see the change calendar",
        by="olga",
        starts_at=at(minutes=-20),
        ends_at=at(hours=1, minutes=40),
    )


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0][0]}-{look[1]}")
@pytest.mark.parametrize("name", ["silences", "maintenance"])
def test_the_page_is_accessible_and_within_the_screen(
    sign_in: SignIn,
    pictures: Path,
    name: str,
    look: tuple[tuple[int, int], str],
) -> None:
    (width, height), theme = look
    page = sign_in("olga", f"/{name}", size=(width, height), theme=theme)
    page.screenshot(path=pictures / f"{name}-{width}-{theme}.png", full_page=True)
    assert [] == findings(page)
    assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_a_silence_is_asked_for_and_ended_without_scripts(sign_in: SignIn) -> None:
    page = sign_in("rosa", "/silences", scripts=False)
    expect(page.locator(".holds").first).to_have_text("2 alerts held back now")
    page.get_by_label("Which alerts").fill('alertname="ApiLatencyHigh", instance="web-3"')
    page.get_by_label("4 h", exact=True).check()
    page.get_by_label("Why nobody has to be told").fill("known")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.locator(".said")).to_contain_text("It is kept")
    mine = page.locator(".quiet", has_text="web-3")
    expect(mine).to_contain_text("1 alert held back now")
    mine.get_by_role("button", name="End silence").click()
    expect(page.locator(".said")).to_contain_text("It has ended")
    expect(page.locator(".quiet", has_text="web-3")).to_have_count(0)


def test_a_weekly_window_is_planned_by_keyboard(sign_in: SignIn) -> None:
    page = sign_in("olga", "/maintenance")
    page.locator("#weekly-name").focus()
    for typed in ("Index build", 'service="search"', "it is slow then"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.locator("#at").press("Enter")
    expect(page.locator(".said")).to_contain_text("planned")
    made = page.locator(".quiet", has_text="Index build")
    expect(made).to_contain_text("Mon 02:00 for 2h, UTC")
    made.get_by_role("button", name="End window").press("Enter")
    expect(page.locator(".quiet", has_text="Index build")).to_have_count(0)
