from collections.abc import Iterator
from pathlib import Path

import pytest

from support.desk import Desk, Room, a_room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with a_room(Desk(tmp_path)) as room:
        yield room
