"""One log store for all tests here; each test has files and a shipper of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.logs import Shipper, Store, program, start_store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    program("opensearch")
    with start_store(tmp_path_factory.mktemp("opensearch")) as made:
        yield made


@pytest.fixture
def shipper(store: Store, tmp_path: Path) -> Shipper:
    program("rsyslogd")
    return Shipper(store, tmp_path)
