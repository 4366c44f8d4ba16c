"""What the engine's `verify --output=text --verbose` says, line by line.

It exits with 0 whatever it finds, and says `status: ok` of a set that has lost its manifest: so
each line is read, and a set that should be named and is not counts as unsaid. Engines before 2.47
take files that are kept in blocks for missing: of those it is not known.
"""

import re
from typing import Final

from msgspec import Struct

_ARCHIVE: Final = re.compile(
    r"^\s+archiveId: (?P<id>\S+), total WAL checked: (?P<all>\d+), total valid WAL: (?P<valid>\d+)"
)
_SET: Final = re.compile(
    r"^\s+backup: (?P<label>\S+), status: (?P<status>[\w -]+?)"
    r"(?:, total files checked: (?P<all>\d+), total valid files: (?P<valid>\d+))?$"
)
_COUNTS: Final = re.compile(
    r"missing: (\d+), checksum invalid: (\d+), size invalid: (\d+), other: (\d+)"
)
_STATUS: Final = re.compile(r"^status: (\w+)")
_COMPLAINT: Final = re.compile(r"^\s+(error|warning): (.*)|^\s{6,}(\S.*)")


class Tally(Struct, frozen=True):
    """How many objects were looked at, and what was wrong with some."""

    checked: int = 0
    valid: int = 0
    missing: int = 0
    checksum: int = 0
    size: int = 0
    other: int = 0

    @property
    def wrong(self) -> int:
        """How many are not as they should be."""
        return max(self.missing + self.checksum + self.size + self.other, self.checked - self.valid)

    @property
    def words(self) -> str:
        """What is wrong, for people."""
        kinds = (
            (self.checksum, "with another checksum"),
            (self.missing, "missing"),
            (self.size, "of another size"),
            (self.other, "unreadable"),
        )
        said = [f"{count} {kind}" for count, kind in kinds if count]
        return ", ".join(said) or f"{self.wrong} not valid"


class SpokenSet(Struct, frozen=True):
    """One backup as verify tells it."""

    label: str
    status: str
    tally: Tally = Tally()

    @property
    def valid(self) -> bool:
        """Whether it is whole; anything but the one word is not."""
        return self.status == "valid" and self.tally.wrong == 0


class Spoken(Struct, frozen=True):
    """Everything that one verification said."""

    status: str
    """`ok`, `error`, or empty when nothing that can be read was said."""
    archives: dict[str, Tally]
    sets: dict[str, SpokenSet]
    complaints: tuple[str, ...] = ()
    sees_blocks: bool = True
    """Whether what it calls missing is missing: old engines do not see files kept in blocks."""

    def knows(self, tally: Tally) -> bool:
        """Tell whether what is counted as wrong is wrong for sure."""
        return self.sees_blocks or tally.wrong > tally.missing


def read_verify(text: str, *, sees_blocks: bool = True) -> Spoken:
    """Read what verify printed."""
    status = ""
    archives: dict[str, Tally] = {}
    sets: dict[str, SpokenSet] = {}
    complaints: list[str] = []
    current: tuple[dict[str, Tally] | None, str] | None = None
    for line in text.splitlines():
        if found := _STATUS.match(line):
            status = found[1]
        elif found := _ARCHIVE.match(line):
            archives[found["id"]] = Tally(int(found["all"]), int(found["valid"]))
            current = (archives, found["id"])
        elif found := _SET.match(line):
            tally = Tally(int(found["all"] or 0), int(found["valid"] or 0))
            sets[found["label"]] = SpokenSet(found["label"], found["status"], tally)
            current = (None, found["label"])
        elif (found := _COUNTS.search(line)) and current is not None:
            counts = [int(group) for group in found.groups()]
            _count(archives, sets, current, counts)
        elif found := _COMPLAINT.match(line):
            complaints.append((found[2] or found[3]).strip())
    return Spoken(status, archives, sets, tuple(complaints), sees_blocks)


def _count(
    archives: dict[str, Tally],
    sets: dict[str, SpokenSet],
    current: tuple[dict[str, Tally] | None, str],
    counts: list[int],
) -> None:
    """Add a line of counts to what was named on the line above it."""
    of_archive, name = current
    if of_archive is not None:
        before = archives[name]
        archives[name] = Tally(before.checked, before.valid, *counts)
        return
    one = sets[name]
    tally = Tally(one.tally.checked, one.tally.valid, *counts)
    sets[name] = SpokenSet(one.label, one.status, tally)
