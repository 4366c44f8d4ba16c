"""Alerts that come and go.

An alert that fires and resolves every minute tells nothing new after the third time. The share
of changes among its last states says whether it flaps; newer changes weigh more, so that one
which has settled is believed soon. Sources speak when something changes and are silent
otherwise, so every two minutes of silence count as one state that did not change. One message
says that it flaps, one that it has stopped; what happens in between is counted.
"""

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

STATES: Final = 21
"""States that are looked at: twenty possible changes."""
ON: Final = 0.5
"""Weighted share of changes from which on an alert flaps."""
OFF: Final = 0.2
"""Share below which it has settled."""
SAMPLE_S: Final = 120
"""Seconds of silence that count as one unchanged state: what changes every four minutes flaps,
and what has stopped is believed within 40 minutes."""
OLDEST_WEIGHT: Final = 0.8
NEWEST_WEIGHT: Final = 1.2

Change = Literal["started", "stopped"]


class Flap(Struct, frozen=True):
    """What is remembered of one alert: JSON as it stands."""

    states: str = ""
    """The last states, oldest first: 1 firing, 0 not."""
    at: float = 0.0
    """When the last of them was, in seconds since the epoch."""
    flapping: bool = False
    counted: int = 0
    """State changes since it flaps, which were counted instead of told."""


class FlapStep(Struct, frozen=True):
    """What one more state makes of an alert."""

    flap: Flap
    share: float
    change: Change | None
    """What is to be told once. None: nothing."""
    tell: bool
    """Whether this state itself is to be told. Once it flaps the change above is told instead."""
    reason: str


def share(states: str) -> float:
    """Return the weighted share of changes; states that were not seen are no changes."""
    changes = STATES - 1
    padded = states.rjust(STATES, states[:1] or "0")[-STATES:]
    total = sum(_weight(n) for n in range(changes) if padded[n] != padded[n + 1])
    return total / changes


def observed(flap: Flap, *, firing: bool, at: float) -> FlapStep:
    """Return what one more state makes of an alert. Repeats are states too."""
    rested = _rest(flap, at)
    state = "1" if firing else "0"
    changed = rested.states[-1:] not in ("", state)
    states = (rested.states + state)[-STATES:]
    return _step(flap, states, max(at, flap.at), changed=changed)


def settled(flap: Flap, now: float) -> FlapStep:
    """Return what silence makes of an alert: call it now and then for those that flap."""
    rested = _rest(flap, now)
    return _step(flap, rested.states, rested.at, changed=False)


def _rest(flap: Flap, now: float) -> Flap:
    """Add the states that did not change since the last."""
    silent = int((now - flap.at) // SAMPLE_S) if flap.states else 0
    if silent <= 0:
        return flap
    states = (flap.states + flap.states[-1] * min(silent, STATES))[-STATES:]
    return replace(flap, states=states, at=flap.at + silent * SAMPLE_S)


def _step(flap: Flap, states: str, at: float, *, changed: bool) -> FlapStep:
    found = share(states)
    change: Change | None = None
    if not flap.flapping and found >= ON:
        change = "started"
    elif flap.flapping and found < OFF:
        change = "stopped"
    counted = flap.counted + changed if flap.flapping else 0
    reason = f"{found:.0%} of its last {STATES - 1} states were changes"
    if change == "stopped":
        reason += f"; {counted} changes were counted, not told"
    flapping = change == "started" or (flap.flapping and change is None)
    return FlapStep(
        flap=Flap(states, at, flapping, counted if flapping else 0),
        share=found,
        change=change,
        tell=not flapping and not flap.flapping,
        reason=reason,
    )


def _weight(place: int) -> float:
    return OLDEST_WEIGHT + (NEWEST_WEIGHT - OLDEST_WEIGHT) * place / (STATES - 2)
