"""Which files PostgreSQL archives, and whether a segment is what its name says.

A segment under a wrong name is worse than a missing one: a restore would replay it. PostgreSQL
reuses the file of a segment that it believes archived under a later name, so the address in the
first page is compared with the name each time before bytes leave the machine.
"""

import re
import struct
from enum import StrEnum
from typing import Final

from msgspec import Struct

from abops.backup.model import SegmentName

HEADER_BYTES: Final = 40
"""Enough for the long header that begins every segment."""
_HEADER = struct.Struct("=HHIQI4xQII")
_LONG_HEADER: Final = 0x0002
_SEGMENT_SIZES: Final = frozenset(2**power for power in range(20, 31))
_NAME = re.compile(
    r"(?P<segment>[0-9A-F]{24})(?P<ending>\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history"
)


class Archived(StrEnum):
    """A kind of file that PostgreSQL archives."""

    SEGMENT = "segment"
    PARTIAL = "partial"
    """The end of a timeline that was left, as far as it was written."""
    LABEL = "label"
    """Where a backup began and ended."""
    HISTORY = "history"
    """Where a timeline came from."""


def kind_of(name: str) -> Archived | None:
    """Return what kind of archived file has this name; None: none of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    if found["segment"] is None:
        return Archived.HISTORY
    if found["ending"] is None:
        return Archived.SEGMENT
    return Archived.PARTIAL if found["ending"] == ".partial" else Archived.LABEL


class Header(Struct, frozen=True):
    """What the first page of a segment says about it."""

    timeline: int
    address: int
    system_id: int
    segment_bytes: int


def read_header(begin: bytes) -> Header | None:
    """Read the first page's header; None when this is no beginning of a segment."""
    if len(begin) < HEADER_BYTES:
        return None
    magic, info, timeline, address, _, system_id, size, _ = _HEADER.unpack_from(begin)
    if not magic or not info & _LONG_HEADER or size not in _SEGMENT_SIZES:
        return None
    return Header(timeline, address, system_id, size)


def mismatch(name: str, begin: bytes, size: int) -> str:
    """Say why a file cannot be the segment that it is named after; empty: it can."""
    kind = kind_of(name)
    if kind is None:
        return "this is no name of write-ahead log"
    if kind in {Archived.LABEL, Archived.HISTORY}:
        return ""
    header = read_header(begin)
    if header is None:
        return "it does not begin with the header of a segment"
    return _mismatch(SegmentName.of(name, header.segment_bytes), header, size)


def _mismatch(named: SegmentName, header: Header, size: int) -> str:
    if size != header.segment_bytes:
        return f"it has {size} bytes, a segment here has {header.segment_bytes}"
    if header.address != named.number * header.segment_bytes:
        return f"its first page is at {_lsn(header.address)}, another place than its name"
    # The first segment of a timeline begins with pages of the one before.
    if not 0 < header.timeline <= named.timeline:
        return f"its first page is of timeline {header.timeline}, not of its name's"
    return ""


def _lsn(address: int) -> str:
    return f"{address >> 32:X}/{address & 0xFFFFFFFF:X}"
