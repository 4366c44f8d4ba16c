"""What pgBackRest removes, or would remove, read from what it says about its work.

It has no machine's form for this: one line for each set, one for each run of segments. Where it
does not find a set that it is to remove it warns, goes on and ends well, so what it says it did
must be held against what it was asked.
"""

import re
from typing import Final

from msgspec import Struct

_SET: Final = re.compile(r"remove expired backup (\S+)$", re.MULTILINE)
_LOG: Final = re.compile(
    r"remove archive, start = ([0-9A-F]{24}), stop = ([0-9A-F]{24})$", re.MULTILINE
)


class Expiry(Struct, frozen=True):
    """Sets and log that go."""

    sets: tuple[str, ...] = ()
    log: tuple[tuple[str, str], ...] = ()
    """Segments in a row, both ends included, by name."""


def read_expiry(text: str) -> Expiry:
    """Read what `expire` said at the level `info`."""
    return Expiry(
        tuple(sorted(set(_SET.findall(text)))),
        tuple(sorted(_LOG.findall(text))),
    )
