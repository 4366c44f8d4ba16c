"""Floods in a real browser: one that is over, one that rages, and what was told beside it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from abops.kernel.clock import SystemClock
from support.alerting import post_alerts
from support.browser import DESK, PHONE, findings, serving
from support.clocks import SetClock
from support.desk import Desk
from support.servers import wait_until
from support.work import SignIn, Work

pytestmark = pytest.mark.browser
LOOKS = [(size, theme) for size in (DESK, PHONE) for theme in ("light", "dark")]
KINDS = ("PodRestarts", "QueueGrowing", "ApiLatencyHigh", "ProbeFailed")
PARTS = ("api", "bot", "worker", "postgres", "redis", "beat", "search", "billing")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    clock = SetClock(SystemClock().now() - timedelta(hours=3))
    desk = Desk(tmp_path_factory.mktemp("storms"), clock)
    with serving(desk.app) as console:
        work = Work(desk, console)
        _happen(work, clock)
        yield work


def _happen(work: Work, clock: SetClock) -> None:
    """Let a small flood come and go, then a large one come, with two pages beside it."""
    ask, service = work.console.ask, work.desk.service

    def storms() -> list[bool]:
        return [storm.ended_at is None for storm in ask(service.storms)]

    work.fires("PodRestarts", "worker", severity="warning")  # what is normal is known first
    clock.set(clock.now() + timedelta(seconds=30))
    _flood(work, clock, 200, ("worker",))
    wait_until(lambda: [True] == storms(), what="a storm")
    clock.set(clock.now() + timedelta(minutes=6))
    wait_until(lambda: [False] == storms(), what="its end")
    clock.set(SystemClock().now() - timedelta(minutes=1))
    _flood(work, clock, 900, PARTS)
    wait_until(lambda: [True, False] == storms(), what="another storm")
    for name, part in (("PostgresDown", "postgres"), ("RedisDown", "redis")):
        work.fires(name, part)
    wait_until(lambda: 2 == ask(service.storms)[0].paged_alone, what="two pages beside it")


def _flood(work: Work, clock: SetClock, count: int, parts: tuple[str, ...]) -> None:
    """Send so many alerts of these parts within half a minute."""
    for start in range(0, count, 50):
        alerts: list[dict[str, Any]] = [
            work.desk.alert(
                KINDS[number % len(KINDS)],
                parts[number % len(parts)],
                severity="critical" if number % 10 == 3 else "warning",
                pod=f"{parts[number % len(parts)]}-{number}",
            )
            for number in range(start, min(start + 50, count))
        ]
        post_alerts(work.console.url, work.desk.service, *alerts)
        clock.set(clock.now() + timedelta(seconds=30 * 50 / count))


def _raging(work: Work) -> int:
    return work.console.ask(work.desk.service.storms)[0].incident


@pytest.mark.parametrize("name", ["storms", "storm-incident", "storm-list"])
def test_the_page_is_accessible_and_within_the_screen(
    sign_in: SignIn, work: Work, pictures: Path, name: str
) -> None:
    paths = {"storm-incident": f"/incidents/{_raging(work)}", "storm-list": "/incidents"}
    page = sign_in("rosa", "/storms")
    page.goto(paths.get(name, "/storms"))
    page.wait_for_selector("#live[data-state=live]")
    for (width, height), theme in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        picture = pictures / f"{name}-{width}-{theme}.png"
        page.screenshot(path=picture, full_page=name == "storms", animations="disabled")
        # Two hundred rows of alerts are like those of other tests, and take axe-core 15 s.
        assert [] == findings(page, ".storm" if name == "storm-incident" else "html")
        assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_the_list_marks_what_stands_for_a_storm_and_counts_what_rages(
    sign_in: SignIn, work: Work
) -> None:
    page = sign_in("rosa", "/incidents", scripts=False)
    number = _raging(work)
    row = page.locator(f"tr[data-key='{number}']")
    expect(row.locator(".tag-storm")).to_have_text("storm, raging")
    expect(row).to_contain_text("told in digests, 2 by themselves")
    expect(page.locator(".raging")).to_have_text("1 storm rages")
    page.locator(".raging a").click()
    page.wait_for_url("**/storms")
    first, second = page.locator(".storm").all()
    expect(first).to_contain_text("raging")
    expect(first.locator(".samples tbody tr")).to_have_count(len(PARTS))
    expect(second).to_contain_text("lasted")


def test_an_incident_says_that_it_stands_for_a_storm_or_was_told_beside_one(
    sign_in: SignIn, work: Work
) -> None:
    number = _raging(work)
    page = sign_in("rosa", f"/incidents/{number}", scripts=False)
    expect(page.locator("#storm")).to_contain_text("It stands for a storm over")
    expect(page.locator(".storm .storm-counts")).to_contain_text("2 paged alone")
    alone = max(i.number for i in work.console.ask(work.desk.service.incidents))
    page.goto(f"/incidents/{alone}")
    expect(page.locator(".facts").first).to_contain_text(
        f"told by itself during the storm of INC-{number}"
    )


def test_a_fold_that_the_reader_closed_stays_closed_while_the_storm_goes_on(
    sign_in: SignIn, work: Work
) -> None:
    page = sign_in("rosa", "/storms")
    page.wait_for_selector("#live[data-state=live]")
    fold, counts = page.locator(".storm details").first, page.locator(".storm-counts strong").first
    fold.locator("summary").click()
    before = counts.inner_text()
    work.fires("PodRestarts", "api", severity="warning", pod="api-late")
    expect(counts).not_to_have_text(before, timeout=20_000)
    assert fold.get_attribute("open") is None
