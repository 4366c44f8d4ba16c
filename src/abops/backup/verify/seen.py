"""What was seen at a destination, and what it is judged to be."""

from collections.abc import Mapping

from msgspec import Struct

from abops.backup.model import SEGMENT_BYTES, SegmentName, SetFacts
from abops.backup.postgres.log_files import Fork
from abops.backup.store.records import Finding
from abops.backup.verify.spoken import Spoken

Objects = Mapping[str, tuple[int, str]]
"""Path -> size and ETag."""


class Seen(Struct, frozen=True, kw_only=True):
    """Everything about one key generation of a destination that a verification looked at."""

    destination: str
    generation: str
    sets: tuple[SetFacts, ...]
    spoken: Spoken
    paths: tuple[str, ...]
    """Every file of the repository, below its own folder."""
    stanza: str = "main"
    archive_id: str = ""
    """The folder of the log of the live database."""
    forks: Mapping[int, Fork] = {}
    until: SegmentName | None = None
    """The last segment that the live server has handed over."""
    owed: frozenset[str] = frozenset()
    """Names of segments that are on their way here."""
    needed_since: float | None = None
    """Sets begun before are kept for themselves: they need their own log only."""
    copies: Mapping[str, str] = {}
    """For each file that is stored twice, what is wrong with the pair; empty when nothing is."""
    objects: Mapping[str, Objects] = {}
    """For each set, its objects as the store lists them now."""
    recorded: Mapping[str, Objects] = {}
    """For each set, its objects as they were when it was made."""
    contents: Mapping[str, str] = {}
    """Objects whose content was read: what was wrong with it; empty when nothing is."""
    elsewhere: Mapping[str, Mapping[str, frozenset[str]]] = {}
    """For each other destination, its segments and their hashes."""
    live_system: int | None = None
    known_gaps: Mapping[str, float] = {}
    """Holes that were found before, and when first."""
    segment_bytes: int = SEGMENT_BYTES


class Judgement(Struct, frozen=True):
    """What a verification found."""

    findings: tuple[Finding, ...]
    broken: Mapping[str, str]
    """Labels that cannot be restored or built upon, and why."""
    invalid_objects: int
    gap_segments: int
    """Segments in holes that no later full set has made harmless."""
    owed_segments: int

    @property
    def passed(self) -> bool:
        """Whether nothing critical was found."""
        return all(finding.severity != "critical" for finding in self.findings)
