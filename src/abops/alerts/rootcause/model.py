"""What the likely cause is found from, and what is said of it.

Everything arrives as a value: alerts, who calls whom, what was changed, what past incidents
looked like, and metrics when there are any. What is missing is not guessed; it is said.
Times are seconds since the epoch.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Self

from msgspec import Struct

Relation = Literal["calls", "instance_of", "hosted_on"]
Sample = float | None
Worse = Literal["up", "down"]


class AlertSeen(Struct, frozen=True):
    """One alert of the incident: what fired where, and when."""

    entity: str
    """The part it speaks of. A trace between two parts speaks of the one that was called."""
    kind: str
    at: float | None = None
    """When it began. None: not known, it then says nothing about who was first."""
    trace: bool = False
    """Seen as a slow or failed call between parts: such alerts are many and each tells less."""
    family: str = ""
    """What it is counted under in the history: pods come and go, their service stays. Empty: the
    entity itself."""

    @property
    def key(self) -> tuple[str, str]:
        """Under which (entity, kind) it is counted in the history."""
        return self.family or self.entity, self.kind


class Edge(Struct, frozen=True):
    """How two parts hang together: `source` calls, is an instance of, or runs on `target`."""

    source: str
    target: str
    relation: Relation = "calls"


class ChangeSeen(Struct, frozen=True):
    """Something people or machines changed: a deploy, a migration, a switch."""

    entity: str
    at: float
    title: str = ""
    kind: str = "deploy"

    @property
    def key(self) -> tuple[str, str]:
        """Under which (entity, kind) it is counted in the history."""
        return self.entity, f"change:{self.kind}"


class Series(Struct, frozen=True):
    """A metric of one part, before and during the incident. None: no value at that time."""

    entity: str
    metric: str
    """`latency`, `availability` (per cent) and `requests` are understood; others are only
    compared with what they were."""
    normal: tuple[Sample, ...]
    during: tuple[Sample, ...]
    worse: Worse = "up"


class History(Struct, frozen=True):
    """How many incidents there were, and in how many of them each (entity, kind) was seen."""

    incidents: int = 0
    seen: Mapping[tuple[str, str], int] = {}

    def with_incident(
        self, alerts: Iterable[AlertSeen], changes: Iterable[ChangeSeen] = ()
    ) -> Self:
        """Return the history with one incident more; `changes` are those shortly before it."""
        counts = Counter(self.seen)
        counts.update({alert.key for alert in alerts})
        counts.update({change.key for change in changes})
        return type(self)(self.incidents + 1, dict(counts))

    def state(self) -> dict[str, object]:
        """Return it as plain values, to be kept as JSON."""
        rows = sorted([entity, kind, n] for (entity, kind), n in self.seen.items())
        return {"incidents": self.incidents, "seen": rows}

    @classmethod
    def restore(cls, incidents: int, seen: Iterable[tuple[str, str, int]]) -> Self:
        """Make it from what `state` returned: `History.restore(**state)`."""
        return cls(incidents, {(entity, kind): n for entity, kind, n in seen})


class IncidentEvidence(Struct, frozen=True):
    """All that is known of an incident when its cause is asked for."""

    symptom: str = ""
    """The part whose trouble people notice. Empty: not known, every part may be it."""
    alerts: tuple[AlertSeen, ...] = ()
    edges: tuple[Edge, ...] = ()
    changes: tuple[ChangeSeen, ...] = ()
    history: History = History()
    metrics: tuple[Series, ...] | None = None
    """None: nobody asked for metrics, which is said."""
    symptom_metric: str = ""
    """`latency` or `availability`. Empty: whichever of them left its normal range."""


class Cause(Struct, frozen=True):
    """A part that may be the cause, with its share of the evidence and the reasons."""

    entity: str
    score: float
    """Share of what was found, 0 to 1, averaged over the methods that had data."""
    terms: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """What was not there to decide by; the same for all causes of an incident."""


class Ranking(Struct, frozen=True):
    """What one method found: a score above zero and reasons, by entity."""

    method: str
    scores: Mapping[str, float]
    terms: Mapping[str, Sequence[str]] = {}

    @property
    def shares(self) -> dict[str, float]:
        """The scores as shares of their sum."""
        total = sum(self.scores.values())
        return {entity: score / total for entity, score in self.scores.items()}
