"""Who is on call and who is told what, in a real browser: three teams in two time zones."""

from collections.abc import Iterator
from datetime import UTC, datetime
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
from abops.kernel.clock import SystemClock
from support.browser import DESK, PHONE, findings, serving
from support.desk import BY, PASSWORD, URL, Desk
from support.work import SignIn, Work

pytestmark = pytest.mark.browser
LOOKS = [(size, theme) for size in (DESK, PHONE) for theme in ("light", "dark")]
BERLIN = "Europe/Berlin"
THURSDAY = datetime(2026, 11, 26, 14, 20, tzinfo=UTC)


class Then(SystemClock):
    """A clock that goes on from a Thursday, so that the calendar is always the same."""

    def __init__(self) -> None:
        self._shift = THURSDAY - super().now()

    def now(self) -> datetime:
        return super().now() + self._shift


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
    desk = Desk(tmp_path_factory.mktemp("duty"), Then(), routing=a_routing())
    desk.access.open()
    for name, role in {"ana": "responder", "bo": "responder", "cem": "viewer"}.items():
        desk.access.accept(desk.access.invite(name, role, BY), PASSWORD)
    desk.access.linking.link("ana", "slack", "U0ANA", BY)
    desk.access.linking.link("ana", "pagerduty", "PANA", BY)
    desk.access.close()
    with serving(desk.app) as console:
        yield Work(desk, console)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0][0]}-{look[1]}")
@pytest.mark.parametrize("name", ["on-call"])
def test_the_page_is_accessible_and_within_the_screen(
    sign_in: SignIn, pictures: Path, name: str, look: tuple[tuple[int, int], str]
) -> None:
    (width, height), theme = look
    page = sign_in("ana", f"/{name}", size=(width, height), theme=theme)
    page.screenshot(path=pictures / f"{name}-{width}-{theme}.png", full_page=True)
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
