"""Who is on call and who is told what, in a real browser: three teams in two time zones."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from abops.alerts.model import (
    Channel,
    GroupingRule,
    Level,
    OnCall,
    Policy,
    QuietHours,
    Route,
    RouteTest,
    Routing,
    Team,
)
from abops.alerts.route.matcher import parse_matchers
from support.browser import DESK, PHONE, findings, serving
from support.clocks import SetClock
from support.desk import BY, PASSWORD, URL, Desk
from support.servers import wait_until
from support.work import SignIn, Work

pytestmark = pytest.mark.browser
LOOKS = [(size, theme) for size in (DESK, PHONE) for theme in ("light", "dark")]
BERLIN = "Europe/Berlin"
THURSDAY = datetime(2026, 11, 26, 14, 20, tzinfo=UTC)


def a_routing() -> Routing:
    """Return three teams, two policies, quiet hours and a digest."""
    night = QuietHours(22 * 60, 7 * 60)
    channels = {
        "pd-dev": Channel("pd-dev", "pagerduty", secret_file="pd-dev"),  # noqa: S106 - a name
        "slack-ops": Channel("slack-ops", "slack", secret_file="slack", address="C0OPS"),  # noqa: S106
        "tg-security": Channel("tg-security", "telegram", secret_file="slack", address="-100123"),  # noqa: S106
    }
    fallback = ("tg-security",)
    turns = OnCall(("ana", "bo"), weekday=0, hour=9, tz=BERLIN)
    daily = OnCall(("cem", "dora", "emil"), "daily", hour=8, minute=30)
    teams = {
        "dev": Team("dev", "pd-dev", "slack-ops", fallback, turns, BERLIN, night),
        "devops": Team("devops", "pd-dev", "slack-ops", fallback, daily),
        "management": Team("management", "pd-dev", "slack-ops", (), OnCall(("frida",))),
    }
    routes = (
        _route('severity="critical", category="security"', "page", "chat", "tg-security"),
        _route('severity="critical", service="payments"', "page", escalate="fast"),
        _route('severity="critical"', "page", "chat"),
        _route('severity="warning", category="system"', "tg-security", "chat", digest="unlikely"),
        _route('severity=~"warning|info"', "chat", digest="always", min_alerts=3),
    )
    tests = (
        RouteTest({"severity": "critical", "service": "api"}, ("pd-dev", "slack-ops")),
        RouteTest({"severity": "warning", "service": "api"}, ("slack-ops",)),
    )
    levels = (Level("dev", 0), Level("devops", 900), Level("management", 1800))
    return Routing(
        public_url=URL,
        channels=channels,
        teams=teams,
        routes=routes,
        owners={"api": "dev", "bot": "dev", "payments": "dev", "postgres": "devops"},
        tests=tests,
        escalation=Policy(levels),
        policies={"fast": Policy((Level("dev", 0), Level("devops", 300)), repeat=1)},
        tz=BERLIN,
        grouping=(GroupingRule("pool", 'service="api"', 'service="postgres"', together=True),),
    )


def _route(match: str, *send: str, **how: object) -> Route:
    return Route(match, parse_matchers(match), send, **how)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    clock = SetClock(THURSDAY)  # so that the calendar is always the same
    desk = Desk(tmp_path_factory.mktemp("duty"), clock, routing=a_routing())
    desk.access.open()
    for name, role in {"ana": "responder", "bo": "responder", "cem": "viewer"}.items():
        desk.access.accept(desk.access.invite(name, role, BY), PASSWORD)
    desk.access.linking.link("ana", "slack", "U0ANA", BY)
    desk.access.linking.link("ana", "pagerduty", "PANA", BY)
    desk.access.close()
    with serving(desk.app) as console:
        work = Work(desk, console)
        _happen(work, clock)
        yield work


def _happen(work: Work, clock: SetClock) -> None:
    """Let a page wait two minutes for a channel that does not answer, and silence the bot."""
    ask, service = work.console.ask, work.desk.service
    end = (clock.now() + timedelta(hours=3)).timestamp()
    ask(service.silence, 'service="bot"', ends_at=end, reason="Telegram moves", by="ana")
    work.fires("ApiErrorStorm", "api")
    work.fires("BotSlow", "bot", severity="warning")
    wait_until(lambda: any(row.error for row in ask(service.channels)), what="a channel that fails")
    clock.set(clock.now() + timedelta(minutes=2))


PAGES = {"on-call": "/on-call", "routing": "/routing?severity=critical&service=payments"}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_accessible_and_within_the_screen(
    sign_in: SignIn, pictures: Path, name: str
) -> None:
    page = sign_in("ana", "/on-call")
    page.goto(PAGES[name])
    for (width, height), theme in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        picture = pictures / f"{name}-{width}-{theme}.png"
        page.screenshot(path=picture, full_page=True, animations="disabled")
        assert [] == findings(page)
        assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_the_page_says_who_is_on_call_and_who_is_next(sign_in: SignIn) -> None:
    page = sign_in("vera", "/on-call", scripts=False)
    rows = page.locator(".duty-now tbody tr")
    expect(rows.nth(0)).to_contain_text("ana")
    expect(rows.nth(0)).to_contain_text("Mon 30 Nov 09:00 Europe/Berlin to bo")
    expect(rows.nth(1)).to_contain_text("Fri 27 Nov 08:30 UTC")
    expect(rows.nth(2)).to_contain_text("nobody else takes turns")
    days = page.locator(".calendar tbody tr")
    assert 14 == days.count()
    expect(days.nth(4)).to_contain_text("09:00 bo")
    expect(page.locator(".verdict")).to_contain_text("could not acknowledge")
    expect(page.locator(".people tbody tr", has_text="ana").first).to_contain_text("linked")


def test_the_form_explains_the_path_of_an_alert_by_keyboard(sign_in: SignIn) -> None:
    page = sign_in("vera", "/routing")
    page.get_by_label("severity").focus()
    page.keyboard.type("warning")
    page.keyboard.press("Tab")
    page.keyboard.type("postgres")
    page.keyboard.press("Tab")
    page.keyboard.type("category=system")
    page.keyboard.press("Enter")
    page.wait_for_url("**/routing?severity=warning&service=postgres&labels=category%3Dsystem")
    answer = page.locator(".answer")
    expect(answer.locator(".is-passed").first).to_contain_text("passed over: severity is warning")
    expect(answer.locator(".is-match")).to_contain_text("matches and decides")
    expect(answer.locator(".outcome")).to_contain_text("devops, the owner of postgres; emil")
    expect(answer.locator(".told")).to_have_count(2)
    expect(answer).to_contain_text("told at once")
    expect(answer).to_contain_text("none: only critical incidents wake the next level")


def test_what_would_keep_it_from_people_now_is_said(sign_in: SignIn) -> None:
    page = sign_in("vera", "/routing", scripts=False)
    page.goto("/routing?severity=critical&service=bot")
    expect(page.locator(".outcome")).to_contain_text("nobody is told: silence 1, Telegram moves")
    expect(page.locator(".effects").last).to_contain_text("holds back 1")
    late = page.locator(".receivers tr", has_text="slack-ops")
    expect(late).to_contain_text("does not take them, for")


def test_what_cannot_be_read_is_said_at_the_form_with_what_was_typed(sign_in: SignIn) -> None:
    page = sign_in("vera", "/routing", scripts=False)
    page.get_by_label("other labels").fill('service=~"api|bot"')
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("alert")).to_contain_text("is not a list of labels")
    assert 'service=~"api|bot"' == page.get_by_label("other labels").input_value()


def test_a_person_gets_a_code_that_links_their_account(sign_in: SignIn) -> None:
    page = sign_in("vera", "/on-call", scripts=False)
    page.get_by_role("button", name="Give me a code").click()
    expect(page.locator(".code").first).to_contain_text("/link ")


def test_g_and_o_lead_to_who_is_on_call(sign_in: SignIn) -> None:
    page = sign_in("vera")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url("**/on-call")
    page.get_by_role("link", name="Routing").click()
    expect(page.locator(".places a[aria-current]")).to_have_text("On call")
