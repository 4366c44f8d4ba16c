from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from support.channels import Channels, prepared, start


@pytest.fixture(scope="session")
def _channels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channels]:
    channels = prepared(tmp_path_factory.mktemp("channels"))
    with start(channels) as server:
        channels.server = server
        yield channels


@pytest.fixture
def channels(_channels: Channels) -> Channels:
    """The running servers, without records and without faults.

    Allowances outlive a test: each uses channels and chats of its own.
    """
    for part in ("slack", "pagerduty", "telegram", "inbox"):
        _channels.control(part, mode="ok")
    httpx2.delete(f"{_channels.url('inbox')}/_received")
    return _channels


@pytest.fixture
def own_channels(tmp_path: Path) -> Channels:
    """A configuration whose servers the test starts and stops itself."""
    return prepared(tmp_path)
