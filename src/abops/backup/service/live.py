"""What the protected server says of itself, and what is on its way from it."""

import re
from typing import Final

import msgspec

from abops.backup.model import SEGMENT_BYTES, Home, SegmentName, Site
from abops.backup.service.protect import settings_of
from abops.backup.wal.queue import owed_folder
from abops.clients.postgres import PostgresUnreachableError

_SEGMENT: Final = re.compile(r"[0-9A-F]{24}")
_QUESTION: Final = (
    "SELECT concat_ws(' ', s.system_identifier, c.timeline_id, "
    "(SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'), "
    "(SELECT left(last_archived_wal, 24) FROM pg_stat_archiver)) "
    "FROM pg_control_system() s, pg_control_checkpoint() c"
)


class Live(msgspec.Struct, frozen=True):
    """The protected server; nothing is known while it is down."""

    system: int | None = None
    timeline: int | None = None
    until: SegmentName | None = None
    """The last segment that it handed over."""
    segment_bytes: int = SEGMENT_BYTES


def ask_live(home: Home, site: Site) -> Live:
    """Ask the protected server; one that is down hinders no verification."""
    try:
        words = settings_of(home, site).one(_QUESTION).split()
    except PostgresUnreachableError:
        return Live()
    system, timeline, segment_bytes = (int(word) for word in words[:3])
    # After a promotion the last one may be a history, which says nothing about segments.
    named = [word for word in words[3:] if _SEGMENT.fullmatch(word)]
    until = SegmentName.of(named[0], segment_bytes) if named else None
    return Live(system, timeline, until, segment_bytes)


def owed_to(home: Home, site: Site, destination: str) -> frozenset[str]:
    """Return the names of the segments that are on their way to a destination."""
    folder = owed_folder(home, site.cluster, destination)
    try:
        return frozenset(one.name for one in folder.iterdir() if _SEGMENT.fullmatch(one.name))
    except OSError:
        return frozenset()
