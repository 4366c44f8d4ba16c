"""What the catalog holds, as frozen values: a field for each column of the table.

Only `backup` can be had again from a destination's own words; the rest is our memory of what was
done, and losing it costs history, never a backup. Moments are seconds since 1970 in UTC.
"""

from typing import Literal

from msgspec import Struct

Severity = Literal["critical", "warning", "info"]
RunState = Literal["running", "success", "failed", "missed", "interrupted"]
SetState = Literal["stored", "expired", "lost"]


class Run(Struct, frozen=True, kw_only=True):
    """A planned or ordered run and how far it came."""

    id: str
    """Destination, kind and planned time: the same run is never two."""
    destination: str
    kind: str
    """full, incr, verify, drill, config or mirror."""
    planned: float
    reason: str = ""
    """Why now, and why this kind."""
    state: RunState = "running"
    attempt: int = 1
    started: float = 0.0
    ended: float | None = None
    label: str = ""
    """The set that it made."""
    error: str = ""
    holder: str = ""
    """Which scheduler has it in hand."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something that a check found wrong, in words for whoever must act."""

    severity: Severity
    code: str
    """What kind: unreachable, unsaid, object, log, gap, differs, manifest, changed, page, ..."""
    message: str
    subject: str = ""
    """The object or segments that it is about; the same trouble has the same subject again."""
    objects: int = 0
    """How many objects are not as they should be."""
    generation: str = ""
    label: str = ""
    """The set that it spoils; empty when it is about the log or the whole destination."""


class Check(Struct, frozen=True, kw_only=True):
    """One verification of a destination."""

    id: str
    destination: str
    kind: Literal["verify", "deep", "validate"]
    started: float
    ended: float
    outcome: Literal["success", "failed"]
    """Failed: something critical was found, or it could not be looked at all."""
    invalid_objects: int = 0
    gap_segments: int = 0
    owed_segments: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def was_away(self) -> bool:
        """Tell whether it could not look at all."""
        return any(one.code == "unreachable" for one in self.findings)

    @property
    def gaps(self) -> tuple[str, ...]:
        """Return the holes in the log that it found, by their subjects."""
        return tuple(one.subject for one in self.findings if one.code == "gap")


class Verdict(Struct, frozen=True, kw_only=True):
    """What the last check of a set said about it."""

    destination: str
    generation: str
    label: str
    valid: bool
    at: float
    check_id: str
    reason: str = ""


class Drill(Struct, frozen=True, kw_only=True):
    """One rehearsed restore and what it measured."""

    id: str
    destination: str
    generation: str
    label: str
    kind: str
    """latest, or a point in time."""
    started: float
    ended: float
    outcome: Literal["success", "failed"]
    target: float | None = None
    rto_s: float | None = None
    rpo_s: float | None = None
    phases: dict[str, float] = {}
    """Seconds of provision, fetch, replay, promote, checks."""
    error: str = ""


class MirrorRun(Struct, frozen=True, kw_only=True):
    """One run of a mirror."""

    id: str
    destination: str
    source: str
    started: float
    ended: float
    outcome: Literal["success", "failed"]
    label: str = ""
    """Newest set that it holds now."""
    objects: int = 0
    bytes: int = 0
    error: str = ""


class Bundle(Struct, frozen=True, kw_only=True):
    """A saved bundle of configuration and secrets in one destination."""

    destination: str
    name: str
    made: float
    size: int
    sha256: str
    state: Literal["stored", "failed", "expired"] = "stored"
    error: str = ""


class Key(Struct, frozen=True, kw_only=True):
    """A key generation of a destination; never the key."""

    destination: str
    generation: str
    made: float
    retired: float | None = None
    """Since when nothing new is written with it."""


class Hold(Struct, frozen=True, kw_only=True):
    """A set that must not go: somebody restores from it, or asked for it by name."""

    destination: str
    generation: str
    label: str
    why: str
    """A name of a kept set, `restore <id>`, `lock`."""
    since: float
    until: float | None = None
    """None: until it is let go."""


class Listing(Struct, frozen=True, kw_only=True):
    """The objects of a set as they were when it was made: path -> (size, ETag)."""

    destination: str
    generation: str
    label: str
    at: float
    objects: dict[str, tuple[int, str]]
