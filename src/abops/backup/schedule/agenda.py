"""What is to be done now, one thing after the other.

Asked again, it says the same until the run is noted. Several missed runs are made good by one. A
run that fails is tried again; one that was cut off is taken up at once.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from abops.backup.model import Timetable
from abops.backup.schedule.need import needed
from abops.backup.schedule.place import Agenda, Copying, Due, Place, Waiting
from abops.backup.schedule.times import last_slot, slot_number, slots_between
from abops.backup.store.records import Run

OWED_LIMIT: Final = 4
"""With more segments on their way, the engine would wait for them in vain (its code 82)."""
BACKUPS: Final = frozenset({"full", "incr"})
EVERYWHERE: Final = "all"
"""The destination of a run that goes to each."""
_MISSED_BACK: Final = timedelta(days=8)


def due(
    now: datetime, places: Sequence[Place], runs: Iterable[Run], policy: Timetable
) -> tuple[Due, ...]:
    """Return the runs whose time has come."""
    return agenda(now, places, runs, policy).due


def agenda(
    now: datetime,
    places: Sequence[Place],
    runs: Iterable[Run],
    policy: Timetable,
    mirrors: Sequence[Copying] = (),
) -> Agenda:
    """Return what is to be done now, backups first, and what has to wait."""
    known = {run.id: run for run in runs}
    backups = [needed(now, place, policy) for place in places]
    wanted = [run for run in backups if run is not None]
    wanted += [*_chores(now, places, policy), *_copies(mirrors)]
    ready: list[Due] = []
    waiting: list[Waiting] = []
    for run in wanted:
        found = known.get(run.id)
        if found is not None and not may_be_tried(found, policy):
            continue
        because = _obstacle(run, places, known.values()) or _pause(found, now, policy)
        if because:
            waiting.append(Waiting(run, because))
        else:
            ready.append(_attempt(run, found))
    return Agenda(tuple(ready), tuple(waiting))


def missed(
    now: datetime, place: Place, runs: Iterable[Run], policy: Timetable, since: datetime
) -> tuple[Due, ...]:
    """Return the planned backups since then that nobody began and that a later one replaces."""
    mine = [run for run in runs if run.destination == place.name and run.kind in BACKUPS]
    begun = [*(one.started for one in place.sets), *(run.planned for run in mine)]
    slots = slots_between(policy.incr, policy.tz, max(since, now - _MISSED_BACK), now)
    return tuple(
        Due(
            destination=place.name,
            kind="full" if last_slot(policy.full, policy.tz, slot) == slot else "incr",
            planned=slot.timestamp(),
            reason="nobody began it",
        )
        for slot, following in pairwise(slots)
        if not any(slot.timestamp() <= at < following.timestamp() for at in begun)
    )


def _chores(now: datetime, places: Sequence[Place], policy: Timetable) -> list[Due]:
    """Return what is done beside backups: looking at them, restoring one, saving settings.

    The first sets of a destination are verified and restored as soon as they are there: what was
    never tried is no backup yet.
    """
    night = last_slot(policy.drill, policy.tz, now)
    turn = places[slot_number(policy.drill, night) % len(places)] if places else None
    wanted = [_look(place, now, policy) for place in places]
    wanted += [_retention(place) for place in places]
    wanted += [_rehearsal(place, night, policy, turn=place is turn) for place in places]
    every = policy.config_every_s
    planned = now.timestamp() // every * every
    saved = Due(destination=EVERYWHERE, kind="config", planned=planned, reason="saved regularly")
    return [*(one for one in wanted if one is not None), saved]


def _look(place: Place, now: datetime, policy: Timetable) -> Due | None:
    first = min((one.stopped for one in place.sets), default=None)
    if first is None:
        return None
    if place.verified is None:
        said = "it was never found whole"
        return Due(destination=place.name, kind="verify", planned=first, reason=said)
    looked = last_slot(policy.verify, policy.tz, now).timestamp()
    if all(one.started >= looked for one in place.sets):
        return None
    said = f"the daily one of {policy.verify}"
    return Due(destination=place.name, kind="verify", planned=looked, reason=said)


def _retention(place: Place) -> Due | None:
    """Return what lets old sets go: after each verification that found everything whole."""
    if not place.sets or place.verified is None:
        return None
    if place.retained is not None and place.retained > place.verified:
        return None
    said = "it was found whole"
    return Due(destination=place.name, kind="retain", planned=place.verified, reason=said)


def _rehearsal(place: Place, night: datetime, policy: Timetable, *, turn: bool) -> Due | None:
    first = min((one.stopped for one in place.sets), default=None)
    if first is None or place.verified is None:
        return None
    if place.rehearsed is None:
        said = "nobody has restored from it yet"
        return Due(destination=place.name, kind="drill", planned=first, reason=said)
    if not turn or first >= night.timestamp():
        return None
    said = f"its turn of {policy.drill}"
    return Due(destination=place.name, kind="drill", planned=night.timestamp(), reason=said)


def _copies(mirrors: Sequence[Copying]) -> list[Due]:
    """Return a run for each mirror whose source was found whole since it was copied."""
    return [
        Due(
            destination=one.name,
            kind="mirror",
            planned=one.verified,
            reason=f"{one.source} was verified",
        )
        for one in mirrors
        if one.verified is not None and (one.copied is None or one.copied < one.verified)
    ]


def may_be_tried(found: Run, policy: Timetable) -> bool:
    """Tell whether a run that was begun is neither under way nor over."""
    if found.state not in {"failed", "interrupted"}:
        return False
    return found.attempt <= len(policy.retry_after_s)


def _pause(found: Run | None, now: datetime, policy: Timetable) -> str:
    """Return how long the next attempt has to wait, empty when its time has come."""
    if found is None or found.state == "interrupted":
        return ""
    next_at = (found.ended or found.started) + policy.retry_after_s[found.attempt - 1]
    left = next_at - now.timestamp()
    return f"attempt {found.attempt + 1} is in {left:.0f} s" if left > 0 else ""


def _attempt(run: Due, found: Run | None) -> Due:
    return Due(
        destination=run.destination,
        kind=run.kind,
        planned=run.planned,
        reason=run.reason,
        attempt=1 if found is None else found.attempt + 1,
    )


def _obstacle(run: Due, places: Sequence[Place], runs: Iterable[Run]) -> str:
    """Return what keeps a backup from being begun, empty for nothing."""
    if run.kind not in BACKUPS:
        return ""
    owed = next(place.owed for place in places if place.name == run.destination)
    if owed > OWED_LIMIT:
        return f"{owed} segments of log are still owed to {run.destination}"
    for other in runs:
        here = other.destination == run.destination and other.kind in BACKUPS
        if here and other.state == "running":
            return f"{other.id} is under way"
    return ""
