"""Which backup a destination needs: none, an increment, or a full set, and why.

A full set is made when the timetable says so, and sooner when no increment would help: nothing
valid to build on, a broken chain, a hole in the log, another timeline, another key.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from abops.backup.model import BackupType, SetFacts, Timetable
from abops.backup.schedule.place import Due, Place
from abops.backup.schedule.times import last_slot

FULL_AGE_LIMIT: Final = timedelta(days=8, hours=-1)
INCREMENT_RATIO: Final = 0.6
"""An increment that is bigger than this part of its full set: a full one is the better buy."""


class _Trigger(Struct, frozen=True):
    """Why a full set is needed whatever the timetable says, and since when."""

    reason: str
    since: float = 0.0


def needed(now: datetime, place: Place, policy: Timetable) -> Due | None:
    """Return the backup whose time has come: one, however many were missed."""
    weekly = last_slot(policy.full, policy.tz, now).timestamp()
    daily = last_slot(policy.incr, policy.tz, now).timestamp()
    trigger = _trigger(place, now)
    if trigger is not None:
        # It does not wait for the night; if it fails for good, each night tries once more.
        return _due(place, "full", max(trigger.since, daily), trigger.reason)
    valid = valid_sets(place)
    if _newest_full(valid).started < weekly:
        return _due(place, "full", max(weekly, daily), f"the weekly one of {policy.full}")
    if max(one.started for one in valid) >= daily:
        return None
    kind, reason = automatic(now, place)
    said = reason if kind == "full" else f"the daily one of {policy.incr}"
    return _due(place, kind, daily, said)


def automatic(now: datetime, place: Place) -> tuple[BackupType, str]:
    """Return the kind of a backup that is made at this moment, and why that kind."""
    trigger = _trigger(place, now)
    if trigger is not None:
        return "full", trigger.reason
    valid = valid_sets(place)
    grown = _grown(valid)
    if grown:
        return "full", grown
    return "incr", f"it builds on {max(valid, key=lambda one: one.stopped).label}"


def valid_sets(place: Place) -> tuple[SetFacts, ...]:
    """Return the sets that can be built upon: they and all they stand on are whole."""
    return tuple(one for one in place.sets if _is_valid(one, place))


def _is_valid(one: SetFacts, place: Place) -> bool:
    oldest = one
    for each in _lineage(one, place):
        if each.error or each.label in place.invalid:
            return False
        oldest = each
    return oldest.type == "full"


def _lineage(one: SetFacts, place: Place) -> Iterator[SetFacts]:
    """Yield a set and what it stands on, down to where that is known."""
    by_label = {each.label: each for each in place.sets}
    current: SetFacts | None = one
    while current is not None:
        yield current
        current = by_label.pop(current.prior, None)


def _trigger(place: Place, now: datetime) -> _Trigger | None:
    newest = max(place.sets, key=lambda one: one.stopped, default=None)
    if newest is None:
        return _Trigger(f"there is none with the key of {place.generation} yet")
    if not _is_valid(newest, place):
        return _broken(newest, place)
    full = _newest_full(valid_sets(place))
    if place.gap_found is not None and place.gap_found > full.stopped:
        return _Trigger("log is missing since the last full one", place.gap_found)
    live, ended = place.timeline, _timeline(newest)
    if live is not None and live != ended:
        said = f"the database is on timeline {live}, the last set on {ended}"
        return _Trigger(said, newest.stopped)
    expires = full.started + FULL_AGE_LIMIT.total_seconds()
    if now.timestamp() > expires:
        return _Trigger("the last full one is almost eight days old", expires)
    return None


def _broken(newest: SetFacts, place: Place) -> _Trigger:
    lineage = tuple(_lineage(newest, place))
    found = [place.invalid[one.label] for one in lineage if one.label in place.invalid]
    if found:
        return _Trigger(f"the chain of {newest.label} was found broken", max(found))
    torn = next((one.label for one in lineage if one.error), None)
    if torn is not None:
        return _Trigger(f"{torn} holds pages with a wrong checksum", newest.stopped)
    return _Trigger(f"what {newest.label} stands on is missing", newest.stopped)


def _grown(valid: Sequence[SetFacts]) -> str:
    """Tell when the last increment was so big that an increment is not worth it any more."""
    full, last = _newest_full(valid), max(valid, key=lambda one: one.started)
    if last.type == "full" or last.repo_size <= INCREMENT_RATIO * full.repo_size:
        return ""
    return f"the last increment has {last.repo_size / full.repo_size:.0%} of its full set's size"


def _newest_full(valid: Sequence[SetFacts]) -> SetFacts:
    return max((one for one in valid if one.type == "full"), key=lambda one: one.started)


def _timeline(one: SetFacts) -> int:
    return int(one.wal_stop[:8] or "0", 16)


def _due(place: Place, kind: str, planned: float, reason: str) -> Due:
    return Due(destination=place.name, kind=kind, planned=planned, reason=reason)
