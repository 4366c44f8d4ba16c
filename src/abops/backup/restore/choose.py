"""Which set a restore begins with, and whether the log leads from there to the target."""

from collections.abc import Collection, Sequence

from abops.backup.model import SegmentName, SetFacts
from abops.backup.restore.log import Log, Reach
from abops.backup.restore.request import Holding, Request, RestoreRefusedError
from abops.backup.restore.target import Target, told
from abops.kernel.errors import UsageError


def usable_holdings(request: Request, holdings: Sequence[Holding]) -> tuple[Holding, ...]:
    """Return the destinations that may be used and answer, in the order they were asked for."""
    by_name = {one.destination: one for one in holdings}
    unknown = [name for name in request.sources if name not in by_name]
    if unknown:
        raise UsageError(
            f"no destination {', '.join(unknown)}", hint=f"There are: {', '.join(by_name)}"
        )
    asked = tuple(by_name[name] for name in request.sources) or tuple(holdings)
    usable = tuple(one for one in asked if one.alive)
    if not usable:
        why = "; ".join(f"{one.destination}: {one.reason}" for one in asked)
        raise RestoreRefusedError(
            f"no destination can be read ({why})",
            hint="abops backup status tells which answer; name another with --from.",
        )
    return usable


def candidates(request: Request, usable: Sequence[Holding]) -> list[SetFacts]:
    """Return the sets that may be used, the newest first; of equal ones the first destination's."""
    found = [one for held in usable for one in held.sets]
    if request.label:
        found = [one for one in found if one.label == request.label]
        if not found:
            known = ", ".join(sorted({one.label for held in usable for one in held.sets}))
            raise RestoreRefusedError(f"no set {request.label} there; there are: {known or 'none'}")
        return found
    whole = [
        one
        for one in found
        if not one.error and not _is_spoiled(one, request.spoiled) and one.wal_start
    ]
    return sorted(whole, key=lambda one: -one.stopped)


def _is_spoiled(facts: SetFacts, spoiled: Collection[tuple[str, str]]) -> bool:
    """Tell whether the set, or one that it may build on, was found damaged."""
    full = facts.label.partition("_")[0]
    return bool(
        {(facts.destination, name) for name in (facts.label, facts.prior, full)} & {*spoiled}
    )


def descends(facts: SetFacts, log: Log, timeline: int) -> bool:
    """Tell whether the timeline can be reached from the set: it was not made on a dead branch."""
    own = log.timeline_of(facts.wal_stop)
    if own not in log.ancestry(timeline):
        return False
    leaves = log.leaves(own, timeline)
    return leaves is None or _position(facts.lsn_stop) <= leaves


def _position(lsn: str) -> int:
    high, _, low = lsn.partition("/")
    return int(high or "0", 16) << 32 | int(low or "0", 16)


def precedes(facts: SetFacts, target: Target) -> bool:
    """Tell whether the set was complete before the target: one cannot roll back."""
    if target.at is not None:
        return facts.stopped <= target.at
    return target.lsn is None or _position(facts.lsn_stop) <= target.lsn


def nothing_before(
    request: Request, able: Sequence[SetFacts], usable: Sequence[Holding]
) -> RestoreRefusedError:
    """Say that nothing leads to the target, and what the earliest point is."""
    names = ", ".join(one.destination for one in usable)
    if not able:
        return RestoreRefusedError(f"{names}: no usable set leads to this timeline")
    oldest = min(able, key=lambda one: one.stopped)
    return RestoreRefusedError(
        f"{request.target} lies before the oldest usable set ({oldest.label})",
        hint=f"The earliest point that can be reached is {told(oldest.stopped)}.",
    )


def reaching(
    sets: Sequence[SetFacts], target: Target, log: Log, timeline: int
) -> tuple[SetFacts, Reach]:
    """Return the newest set from which the target is reached, and how far the log goes from it."""
    refusals = []
    for one in sets:
        start = SegmentName.of(one.wal_start, log.segment_bytes)
        reach = log.reach(start, timeline)
        refusal = _unreached(one, target, reach, log, timeline)
        if refusal is None:
            return one, reach
        refusals.append(refusal)
    raise refusals[0]


def _unreached(
    facts: SetFacts, target: Target, reach: Reach, log: Log, timeline: int
) -> RestoreRefusedError | None:
    """Return why the target is not reached from the set, or None when it is."""
    stop = SegmentName.of(facts.wal_stop, log.segment_bytes)
    if reach.last is None or reach.last < stop:
        missing = (reach.missing or stop).file_name(log.segment_bytes)
        return RestoreRefusedError(
            f"the set {facts.label} needs the log segment {missing}, which is nowhere",
            hint="Take an older set (--set) and a time before that, or another destination.",
        )
    if target.kind == "immediate":
        return None
    if reach.missing is not None and not _ends_before(target, reach, log):
        hole = reach.missing.file_name(log.segment_bytes)
        return RestoreRefusedError(
            f"{target} lies behind a hole in the log: {hole} is missing",
            hint=_last_reachable(reach, timeline),
        )
    if target.at is not None and target.at > (reach.until or 0):
        return RestoreRefusedError(
            f"{target} lies after the end of the log", hint=_last_reachable(reach, timeline)
        )
    if target.lsn is not None and target.lsn // log.segment_bytes > reach.last.number:
        return RestoreRefusedError(
            f"{target} lies after the end of the log", hint=_last_reachable(reach, timeline)
        )
    return None


def _ends_before(target: Target, reach: Reach, log: Log) -> bool:
    """Tell whether the target lies before the hole. Ids and names lie where nobody knows."""
    if target.at is not None:
        return reach.sure is not None and target.at <= reach.sure
    if target.lsn is not None and reach.last is not None:
        return target.lsn // log.segment_bytes <= reach.last.number
    return False


def _last_reachable(reach: Reach, timeline: int) -> str:
    if reach.sure is None:
        return "No time after the set itself can be reached: --immediate."
    return f"The last point that can be reached on timeline {timeline} is {told(reach.sure)}."
