"""How much a score may change the telling: less noise, never less safety.

A low score turns a warning into a line of the hourly digest. It never touches what is critical,
whatever the score says, and it never raises anything: the rules of people stay the upper bound.
"""

from typing import Literal

from msgspec import Struct

from abops.alerts.model import Severity
from abops.alerts.score.model import Score

Level = Literal["page", "tell", "digest"]

LOW = 0.1
"""Below it nobody had to act in nine of ten like it."""
USUAL: dict[Severity, Level] = {"critical": "page", "warning": "tell", "info": "digest"}


class Urgency(Struct, frozen=True):
    """How it is told, and why."""

    level: Level
    why: str


def urgency(score: Score | None, severity: Severity) -> Urgency:
    """Return how an incident is told. Critical is told at once, with every score."""
    usual = USUAL[severity]
    if usual != "tell":
        return Urgency(usual, f"severity {severity}")
    if score is None or score.value is None:
        return Urgency(usual, "severity warning; not enough learned to judge it")
    if score.value < LOW:
        return Urgency(
            "digest", f"score {score.value:.2f} is below {LOW}: " + "; ".join(score.terms)
        )
    return Urgency(usual, f"severity warning, score {score.value:.2f}")
