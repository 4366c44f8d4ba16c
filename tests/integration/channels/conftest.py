"""Fixtures of the tests below; pytest finds them by being here."""

from pathlib import Path

import pytest

from support.channel_servers import channels, running_channels
from support.channels import Channels, prepared

__all__ = ["channels", "own_channels", "running_channels"]


@pytest.fixture
def own_channels(tmp_path: Path) -> Channels:
    """A configuration whose servers the test starts and stops itself."""
    return prepared(tmp_path)
