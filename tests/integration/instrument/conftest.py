from collections.abc import Iterator

import pytest

from support.servers import Server, start_redis
from support.telemetry import Collector, Telegram, serving


@pytest.fixture
def collector() -> Iterator[Collector]:
    with serving(Collector()) as server:
        yield server


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    with serving(Telegram()) as server:
        yield server
        server.stopping.set()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server
