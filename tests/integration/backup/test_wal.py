"""The archiver with a real PostgreSQL and two regions."""

from collections.abc import Iterator

import pytest

from support.backup import Protected
from support.wal import Archiver, archiving


@pytest.fixture
def archiver(protected: Protected) -> Iterator[Archiver]:
    for region in protected.regions.values():
        region.ensure()
    with archiving(protected) as one:
        yield one


def test_every_segment_reaches_every_destination(archiver: Archiver) -> None:
    names = archiver.make_segments(3)
    for destination in ("eu", "us"):
        archiver.compare(destination, names)
    assert [] == archiver.owed("eu") + archiver.owed("us")
    status = archiver.status()
    assert status is not None
    assert names[-1] == status["eu"]["last_push"]
