"""The identity of a line: the same here as in the shipper, so that a line sent again is known.

It is the part, the place in its file and a hash of the text. The hash is rsyslog's `hash64`
(Bernstein's, with exclusive or); it is no secret and no proof, it tells two texts at one place
apart.
"""

import platform
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from abops.observability.logs.rsyslog import MAX_LINE_BYTES

_START = 5381
_MASK = 2**64 - 1
_SIGN = 2**63
_BYTES_ARE_SIGNED = platform.machine() in {"x86_64", "AMD64", "i686"}
"""C's `char` has a sign here and none on ARM, and the hash is made of it."""


class Line(Struct, frozen=True):
    """One line of a file."""

    offset: int
    text: bytes


def hash64(text: bytes) -> int:
    """Return what rsyslog's `hash64` prints for `text`: a signed number."""
    value = _START
    for byte in text:
        extended = byte - 256 if _BYTES_ARE_SIGNED and byte > 127 else byte  # noqa: PLR2004
        value = (value * 33 ^ extended) & _MASK
    return value - 2**64 if value & _SIGN else value


def document_id(part: str, line: Line) -> str:
    """Return the identity of a line."""
    return f"{part}:{line.offset}:{hash64(line.text)}"


def read_lines(file: Path, *, last_bytes: int | None = None) -> Iterator[Line]:
    """Yield the complete lines of a file; empty ones count as none, as in the shipper.

    With `last_bytes` only those that begin in that many bytes at the end.
    """
    with file.open("rb") as stream:
        offset = 0
        if last_bytes is not None and (size := stream.seek(0, 2)) > last_bytes:
            offset = size - last_bytes
            stream.seek(offset)
            offset += len(stream.readline())  # the rest of a line that begins before
        stream.seek(offset)
        for raw in stream:
            if not raw.endswith(b"\n"):
                return  # being written
            text = raw[:-1][:MAX_LINE_BYTES]
            if text:
                yield Line(offset, text)
            offset += len(raw)
