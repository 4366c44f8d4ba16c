"""What a mirror copies, in which order, what it lets go of and when it holds still."""

from datetime import UTC, datetime

import pytest

from abops.backup.mirror import (
    Copied,
    MirrorHeldError,
    check_source,
    marked,
    stage,
    to_copy,
    to_delete,
)
from abops.clients.objectstore import StoredObject

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY_S = 86_400.0
SECONDS = NOW.timestamp()


def _object(path: str, etag: str = "a", size: int = 1) -> StoredObject:
    return StoredObject(path, size, NOW, etag)


SOURCE = tuple(
    _object(f"p/g1/{name}")
    for name in ("archive/main/1", "backup/main/F/backup.manifest", "backup/main/backup.info")
)


def test_what_names_the_sets_comes_last() -> None:
    assert [0, 1, 2] == [stage(one.path) for one in SOURCE]
    assert (SOURCE[:1], SOURCE[1:2], SOURCE[2:]) == to_copy(SOURCE, {})


def test_only_what_is_missing_or_differs_is_copied() -> None:
    known = {one.path: Copied(1, "a", "m") for one in SOURCE}
    assert ((), (), ()) == to_copy(SOURCE, known)
    changed = _object(SOURCE[2].path, etag="b")
    assert ((), (), (changed,)) == to_copy((*SOURCE[:2], changed), known)
    longer = _object(SOURCE[0].path, size=2)
    assert ((longer,), (), ()) == to_copy((longer, *SOURCE[1:]), known)


def test_what_the_source_lost_stays_a_week() -> None:
    known = marked({"old": Copied(1, "a", "m")}, SOURCE, SECONDS)
    assert SECONDS == known["old"].gone
    later = marked(known, SOURCE, SECONDS + DAY_S)
    assert SECONDS == later["old"].gone
    assert () == to_delete(later, SECONDS + 7 * DAY_S)
    assert ("old",) == to_delete(later, SECONDS + 7 * DAY_S + 1)


def test_what_came_back_is_not_gone() -> None:
    known = {SOURCE[0].path: Copied(1, "a", "m", gone=1.0)}
    assert () == to_delete(marked(known, SOURCE, SECONDS), SECONDS)


def test_a_source_without_sets_or_with_an_unverified_one_is_not_followed() -> None:
    for listed, verified, objects in (
        (frozenset(), frozenset(), SOURCE),
        (frozenset("F"), frozenset("F"), SOURCE[:2]),
        (frozenset("FI"), frozenset("F"), SOURCE),
    ):
        with pytest.raises(MirrorHeldError):
            check_source(objects, listed, verified)
    check_source(SOURCE, frozenset("F"), frozenset("FI"))
