"""The channel servers as fixtures: one start for all tests of a folder, clean for each test."""

from collections.abc import Iterator

import httpx2
import pytest

from support.alerts import TOKEN
from support.channels import Channels, prepared, start


@pytest.fixture(scope="session")
def running_channels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channels]:
    channels = prepared(tmp_path_factory.mktemp("channels"))
    (channels.folder / "secrets" / "ingest").write_text(TOKEN)
    with start(channels) as server:
        channels.server = server
        yield channels


@pytest.fixture
def channels(running_channels: Channels) -> Channels:
    """The running channel servers, without records and without faults.

    Allowances outlive a test: each uses channels and chats of its own.
    """
    for part in ("slack", "pagerduty", "telegram", "inbox"):
        running_channels.control(part, mode="ok")
    httpx2.delete(f"{running_channels.url('inbox')}/_received")
    return running_channels
