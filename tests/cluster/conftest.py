"""A control plane and a protected database for the tests on a cluster."""

from collections.abc import Iterator

import pytest

from support.backup import protected, regions
from support.control_plane import ControlPlane, start_control_plane

__all__ = ["protected", "regions"]


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane for the tests of a module."""
    with start_control_plane() as one:
        yield one
