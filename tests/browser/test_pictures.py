"""Pictures of the pages, for the documentation and for people to judge.

`ABOPS_PICTURES=docs/images pytest tests/browser/test_pictures.py` renews those in the tree.
"""

from pathlib import Path

import pytest

from support.browser import DESK, PHONE, OpenPage
from support.console import MemoryService

pytestmark = pytest.mark.browser

PAGES = {"incidents": "/incidents", "incident": "/incidents/42"}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_a_picture_of_a_page_is_taken(
    open_page: OpenPage, pictures: Path, name: str, size: tuple[int, int], theme: str
) -> None:
    picture = pictures / f"{name}-{size[0]}-{theme}.png"
    page = open_page(PAGES[name], size=size, theme=theme)
    page.screenshot(path=picture)
    assert picture.stat().st_size > 10_000


def test_a_picture_of_the_quiet_list_is_taken(
    open_page: OpenPage, pictures: Path, service: MemoryService
) -> None:
    service.details.clear()
    page = open_page(size=DESK)
    page.screenshot(path=pictures / f"quiet-{DESK[0]}-light.png")
    assert page.locator(".empty").is_visible()
