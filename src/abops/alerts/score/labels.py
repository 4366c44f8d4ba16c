"""What people showed an incident to be.

A hand on an incident says that it was worth one: acknowledged, noted, or followed by a change
made for it. What went away by itself, was silenced, or was called noise was not. A word of a
person counts at once; silence is only understood after a day, because somebody may still come.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from abops.alerts.score.model import Label

WAIT = timedelta(hours=24)
"""Until then "nobody came" may only mean that nobody has come yet."""


class Outcome(Struct, frozen=True):
    """What became of an incident so far."""

    opened_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str = ""
    """Who resolved it. Empty: it resolved by itself."""
    acked: bool = False
    noted: bool = False
    change: str = ""
    """The change that it was linked to by a person or by a deploy that undid it."""
    silenced: bool = False
    """A person silenced it while it fired. A maintenance window does not count."""
    noise: bool = False


def label(outcome: Outcome, now: datetime) -> Label | None:
    """Return what the incident was. None: not known, or not yet."""
    if outcome.noise:
        return Label(0, "called noise")
    acted = _acted(outcome)
    if acted:
        return Label(1, acted)
    if now - outcome.opened_at < WAIT:
        return None
    if outcome.silenced:
        return Label(0, "silenced")
    if outcome.resolved_at is not None:
        return Label(0, "went away by itself, nobody came")
    return None


def _acted(outcome: Outcome) -> str:
    """Return what somebody did about it, or nothing."""
    deeds = {
        "acknowledged": outcome.acked,
        "somebody wrote a note": outcome.noted,
        f"linked to the change {outcome.change}": bool(outcome.change),
        f"resolved by {outcome.resolved_by}": bool(outcome.resolved_by),
    }
    return next((deed for deed, done in deeds.items() if done), "")
