import time
from collections.abc import Iterator

import pytest

from support.boards import a_past
from support.history import start_prometheus, write_past
from support.servers import Server

STEP_S = 15


@pytest.fixture(scope="session")
def end() -> float:
    """Return the moment that the written past ends."""
    return time.time() // STEP_S * STEP_S  # noqa: TID251 - Prometheus reads the machine's clock


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory, end: float) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("boards") / "data"
    write_past(folder, a_past(end), start=end - 3 * 3600, end=end, step=STEP_S)
    with start_prometheus(folder) as server:
        yield server
