from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from abops.entry.web.app import create_app
from support.console import FixedClock, MemoryService, a_bad_night


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def service(clock: FixedClock) -> MemoryService:
    return MemoryService(a_bad_night(clock.now()), clock=clock)


@pytest.fixture
def runbooks(tmp_path: Path) -> Path:
    (tmp_path / "ApiErrorStorm.md").write_text(
        "<!-- generated -->\n# ApiErrorStorm\n\nFirst look.\n\n## Steps\n\n```\nabops status\n```\n"
    )
    return tmp_path


@pytest.fixture
def client(service: MemoryService, clock: FixedClock, runbooks: Path) -> Iterator[TestClient]:
    app = create_app(service, clock=clock, runbooks=runbooks)
    with TestClient(
        app, base_url="http://127.0.0.1:9600", follow_redirects=False, client=("127.0.0.1", 50000)
    ) as client:
        yield client
