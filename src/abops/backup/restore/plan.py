"""What a restore will do, decided before anything is touched.

From the sets, the log, the destinations that answer and the state of the target folder follows a
plan, or a refusal that says what can be had instead. The engine would restore a set, start the
server, and only then find that the log has a hole: hours later, with the old data gone.
"""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from abops.backup.model import SegmentName, SetFacts
from abops.backup.restore.choose import (
    candidates,
    descends,
    nothing_before,
    precedes,
    reaching,
    usable_holdings,
)
from abops.backup.restore.log import Log, Reach
from abops.backup.restore.request import (
    Holding,
    Place,
    Plan,
    Rehearsal,
    Request,
    RestoreRefusedError,
)
from abops.backup.restore.target import Target

SPACE_RATIO: Final = 1.2
"""Room for what the server writes while it replays."""


def plan(
    request: Request, holdings: Sequence[Holding], log: Log, history: Sequence[Rehearsal]
) -> Plan:
    """Decide. Raises RestoreRefusedError or UsageError in words for whoever must act."""
    refuse_place(request.place, delta=request.delta)
    usable = usable_holdings(request, holdings)
    timeline = request.timeline or log.newest_timeline(_timelines(usable, log))
    able = [one for one in candidates(request, usable) if descends(one, log, timeline)]
    in_time = [one for one in able if precedes(one, request.target)]
    if not in_time:
        raise nothing_before(request, able, usable)
    chosen, reach = reaching(in_time, request.target, log, timeline)
    last = _last(chosen, request.target, reach, log, timeline)
    logs = (
        chosen.destination,
        *(h.destination for h in usable if h.destination != chosen.destination),
    )
    first = SegmentName.of(chosen.wal_start, log.segment_bytes)
    segments = max(last.number - first.number + 1, 1)
    need = int(chosen.size * SPACE_RATIO)
    refuse_space(request.place, need, delta=request.delta)
    return Plan(
        source=chosen.destination,
        generation=chosen.generation,
        facts=chosen,
        target=request.target,
        timeline=timeline,
        logs=logs,
        wal_first=chosen.wal_start,
        wal_last=last.file_name(log.segment_bytes),
        segments=segments,
        until=None if request.target.kind == "immediate" else reach.until,
        expected_s=expected_seconds(chosen, segments, history),
        need=need,
        folder=request.place.folder,
        delta=request.delta,
        dead=tuple(h.destination for h in holdings if not h.alive),
    )


def refuse_place(place: Place, *, delta: bool) -> None:
    """Refuse a folder that somebody needs."""
    if place.live:
        raise RestoreRefusedError(
            f"a server runs on {place.folder}: nothing is ever restored over it",
            hint="Restore into a new folder, then abops backup cutover.",
        )
    if place.empty or (delta and place.cluster):
        return
    if place.cluster:
        raise RestoreRefusedError(
            f"{place.folder} holds a cluster",
            hint="Name a new folder, or reuse its files with --delta (they are overwritten).",
        )
    raise RestoreRefusedError(
        f"{place.folder} is not empty, and what is in it is no cluster",
        hint="Name a folder that does not exist yet.",
    )


def refuse_space(place: Place, need: int, *, delta: bool) -> None:
    """Refuse when the disk would be full before the server runs; delta reuses what is there."""
    if place.free < need and not delta:
        raise RestoreRefusedError(
            f"{place.folder} needs {_megabytes(need)}, {_megabytes(place.free)} are free",
            hint="Name a folder on another volume; the database and a fifth more must fit.",
        )


def expected_seconds(facts: SetFacts, segments: int, history: Iterable[Rehearsal]) -> float | None:
    """Return what it should take, by what rehearsals from there took for each byte and segment."""
    alike = [one for one in history if one.destination == facts.destination and one.size > 0]
    if not alike:
        return None
    fetch = median(one.phases.get("fetch", 0.0) / one.size for one in alike)
    replay = median(one.phases.get("replay", 0.0) / max(one.segments, 1) for one in alike)
    rest = median(
        sum(took for phase, took in one.phases.items() if phase not in {"fetch", "replay"})
        for one in alike
    )
    return fetch * facts.size + replay * segments + rest


def _timelines(usable: Iterable[Holding], log: Log) -> set[int]:
    return {log.timeline_of(one.wal_stop) for held in usable for one in held.sets if one.wal_stop}


def _last(facts: SetFacts, target: Target, reach: Reach, log: Log, timeline: int) -> SegmentName:
    """Return the last segment that will be asked for."""
    stop = SegmentName.of(facts.wal_stop, log.segment_bytes)
    end = reach.last or stop
    if target.kind == "immediate":
        return stop
    if target.at is not None:
        start = SegmentName.of(facts.wal_start, log.segment_bytes)
        return max(log.end_of(target.at, start, timeline) or end, stop)
    if target.lsn is not None:
        return min(SegmentName(end.timeline, target.lsn // log.segment_bytes), end)
    return end


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
