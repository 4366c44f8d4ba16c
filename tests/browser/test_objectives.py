"""The pages about objectives over a real Prometheus: what stands on them, and when it is gone.

`ABOPS_PICTURES=docs/images pytest tests/browser/test_objectives.py` renews the pictures.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from support.browser import DESK, PHONE, Console, findings, serving
from support.console import MemoryService
from support.objectives import EXHAUSTED, NOT_YET, PAGING, SLOW, objectives_in_prometheus
from support.servers import free_port

pytestmark = pytest.mark.browser

LOOKS = [(size, theme) for size in (DESK, PHONE) for theme in ("light", "dark")]
PAGES = {"slo": "/slo", "slo-one": f"/slo/{PAGING}?env=local&span=24h"}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    now = time.time() // 60 * 60  # noqa: TID251 - Prometheus reads the machine's clock
    with objectives_in_prometheus(tmp_path_factory.mktemp("slo"), now) as prometheus:
        app = create_app(MemoryService(), sources=Sources(prometheus=prometheus.url))
        with serving(app) as console:
            yield console


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": DESK[0], "height": DESK[1]})
    complaints: list[str] = []
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    yield page
    context.close()
    assert [] == [text for text in complaints if "Failed to load resource" not in text]


def states(page: Page) -> dict[str, str]:
    """Return the state of every objective, in the order of the page."""
    rows = page.locator(".slo-row").all()
    return {
        row.locator("a").first.inner_text(): row.locator(".f-mark").inner_text().strip()
        for row in rows
    }


def test_the_worst_objective_stands_first_and_every_state_is_told(
    page: Page, console: Console
) -> None:
    page.goto(f"{console.url}/slo")
    shown = states(page)
    assert [PAGING, EXHAUSTED, SLOW, NOT_YET] == list(shown)[:4]
    assert ["burning", "exhausted", "burning", "no data"] == list(shown.values())[:4]
    assert {"ok"} == set(list(shown.values())[4:])
    row = page.locator(".slo-row", has_text=PAGING)
    expect(row).to_contain_text("99.5")
    expect(row.locator("td").nth(4)).to_have_text("41 %")
    expect(row.locator("td").nth(5)).to_have_text(re.compile(r"^2\d$"))


def test_a_spent_budget_stops_deployments_in_words(page: Page, console: Console) -> None:
    page.goto(f"{console.url}/slo")
    policy = page.locator(".verdict")
    expect(policy).to_contain_text("Deployments wait")
    policy.get_by_role("link", name=EXHAUSTED).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(EXHAUSTED)
    expect(page.locator(".verdict")).to_contain_text("Nothing of this budget is left")
    expect(page.locator(".slo-figures")).to_contain_text("spent")


def test_an_objectives_page_draws_its_past_without_scripts(
    browser: Browser, console: Console
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{console.url}/slo/{PAGING}")
    charts = page.get_by_role("img")
    expect(charts).to_have_count(3)
    expect(charts.first).to_have_attribute(
        "aria-label", re.compile(r"^Burn rate: over 1 h, lowest [\d.]+, highest [\d.]+, now 2\d")
    )
    drawn = page.locator("path.slo-line").first.get_attribute("d") or ""
    assert drawn.count("L") > 250
    expect(page.locator(".slo-limit-text").first).to_have_text("14.4 pages")
    page.get_by_role("link", name="6h", exact=True).click()
    expect(page.locator(".slo-spans [aria-current]")).to_have_text("6h")
    expect(page.get_by_role("img")).to_have_count(3)
    context.close()


def test_a_page_explains_what_counts_and_how_soon_somebody_knows(
    page: Page, console: Console
) -> None:
    page.goto(f"{console.url}/slo/{PAGING}")
    expect(page.locator("pre").first).to_contain_text('status="error"')
    expect(page.locator(".slo-about tbody tr").first).to_have_text(
        re.compile(r"100\s*4m 19s\s*21m 36s\s*3h 36m")
    )


def test_an_objective_without_events_says_so(page: Page, console: Console) -> None:
    page.goto(f"{console.url}/slo/{NOT_YET}")
    expect(page.locator(".verdict")).to_contain_text("Nothing has been counted yet")
    expect(page.get_by_role("img")).to_have_count(0)


def test_an_unknown_objective_is_not_found(page: Page, console: Console) -> None:
    answer = page.goto(f"{console.url}/slo/nothing")
    assert answer is not None
    assert 404 == answer.status
    expect(page.locator("main")).to_contain_text("There is no objective 'nothing'")


def test_when_prometheus_stops_the_last_picture_stays_with_its_age(
    page: Page, tmp_path: Path
) -> None:
    now = time.time() // 60 * 60  # noqa: TID251 - Prometheus reads the machine's clock
    with objectives_in_prometheus(tmp_path, now) as prometheus:
        app = create_app(MemoryService(), sources=Sources(prometheus=prometheus.url))
        with serving(app) as console:
            page.goto(f"{console.url}/slo")
            before = states(page)
            page.goto(f"{console.url}/slo/{PAGING}")
            prometheus.stop()
            page.wait_for_timeout(5_500)  # an answer is fresh for five seconds
            page.goto(f"{console.url}/slo")
            expect(page.locator(".trouble")).to_contain_text("Prometheus does not answer")
            expect(page.locator(".trouble time")).to_have_attribute(
                "datetime", re.compile(r"^\d{4}-")
            )
            assert before == states(page)
            page.goto(f"{console.url}/slo/{PAGING}")
            expect(page.locator(".trouble")).to_contain_text("Prometheus does not answer")
            expect(page.get_by_role("img")).to_have_count(3)


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_without_prometheus_the_page_says_what_to_do(page: Page, path: str) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    app = create_app(MemoryService(), sources=Sources(prometheus=nowhere))
    with serving(app) as console:
        page.goto(console.url + path)
        expect(page.locator(".empty")).to_contain_text("Prometheus does not answer")
        expect(page.locator(".empty")).to_contain_text("abops stack restart prometheus")
        assert [] == findings(page)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0][0]}-{look[1]}")
@pytest.mark.parametrize("name", PAGES)
def test_a_picture_is_taken_of_a_page_that_everybody_can_use(
    browser: Browser, console: Console, pictures: Path, name: str, look: tuple[tuple[int, int], Any]
) -> None:
    (width, height), theme = look
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = context.new_page()
    page.goto(console.url + PAGES[name])
    assert [] == findings(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"{name}-{width}-{theme}.png")
    context.close()
