"""From what was seen to what is wrong.

Each rule looks at one thing and names what it finds. A set is broken when a critical finding is
about it, or about a set that it stands on: an increment builds happily on a full set that is
damaged, and the engine calls it valid.
"""

from collections.abc import Callable, Iterator
from typing import Final

from abops.backup.model import SegmentName
from abops.backup.store.records import Finding, Severity
from abops.backup.verify.continuity import Gap, gaps_in, hashes_of, own_log, stretches
from abops.backup.verify.seen import Judgement, Seen

_SHOWN: Final = 3


def judge(seen: Seen) -> Judgement:
    """Return what is wrong at a destination, the worst first."""
    found = [finding for rule in _RULES for finding in rule(seen)]
    order = {"critical": 0, "warning": 1, "info": 2}
    found.sort(key=lambda finding: order[finding.severity])
    return Judgement(
        findings=tuple(found),
        broken=_broken(seen, found),
        invalid_objects=sum(one.objects for one in found if one.code != "gap"),
        gap_segments=sum(
            one.objects for one in found if one.code == "gap" and one.severity == "critical"
        ),
        owed_segments=len(seen.owed),
    )


def _broken(seen: Seen, found: list[Finding]) -> dict[str, str]:
    """Return the sets that a critical finding spoils, with all that build on them."""
    broken: dict[str, str] = {}
    for one in found:
        if one.severity == "critical" and one.label:
            broken.setdefault(one.label, one.message)
    for each in sorted(seen.sets, key=lambda it: it.started):
        if each.prior in broken and each.label not in broken:
            broken[each.label] = f"it builds on {each.prior}"
    return broken


def _said_of_sets(seen: Seen) -> Iterator[Finding]:
    """The engine's own words about each set; silence is no praise."""
    for one in seen.sets:
        said = seen.spoken.sets.get(one.label)
        if said is None:
            message = f"{one.label} was not verified: its files are not there"
            yield _finding(seen, "unsaid", message, label=one.label, objects=1)
        elif said.tally.missing and not seen.spoken.knows(said.tally):
            unseen = f"{said.tally.missing} files that may be kept in blocks"
            message = f"{one.label}: this engine does not find {unseen}: a drill tells"
            yield _finding(seen, "unsaid", message, severity="warning", subject=one.label)
        elif not said.valid:
            tally = f": {said.tally.words}" if said.tally.wrong else ""
            message = f"{one.label} is {said.status}{tally}"
            count = max(1, said.tally.wrong)
            yield _finding(seen, "object", message, label=one.label, objects=count)


def _said_of_log(seen: Seen) -> Iterator[Finding]:
    for archive, tally in seen.spoken.archives.items():
        if tally.wrong:
            message = f"log of {archive}: of {tally.checked} segments {tally.words}"
            yield _finding(seen, "log", message, subject=archive, objects=tally.wrong)


def _said_at_all(seen: Seen) -> Iterator[Finding]:
    found = (*_said_of_sets(seen), *_said_of_log(seen))
    if seen.spoken.status not in {"ok", "error"} and seen.sets:
        yield _finding(seen, "unsaid", "the engine's verification said nothing that can be read")
    elif seen.spoken.status == "error" and not found:
        said = "; ".join(seen.spoken.complaints[:_SHOWN]) or "it names nothing"
        yield _finding(seen, "object", f"the engine reports an error: {said}", objects=1)


def _holes(seen: Seen) -> Iterator[Finding]:
    """Segments that must be there and are not, neither here nor on their way."""
    kept_whole = [
        one for one in seen.sets if seen.needed_since is None or one.started >= seen.needed_since
    ]
    if not kept_whole:
        return
    present = _present(seen)
    starts = [SegmentName.of(one.wal_start, seen.segment_bytes) for one in kept_whole]
    needed = stretches(
        starts, present, seen.forks, until=seen.until, segment_bytes=seen.segment_bytes
    )
    newest_full = max(
        (one.started for one in kept_whole if one.type == "full"), default=float("-inf")
    )
    for gap in gaps_in(needed, present):
        name = gap.name(seen.segment_bytes)
        first_seen = seen.known_gaps.get(name)
        closed = first_seen is not None and newest_full > first_seen
        severity: Severity = "warning" if closed else "critical"
        message = f"{_segments(gap)} missing: {name}"
        if closed:
            message += "; a full set made since leads past them"
        yield _finding(seen, "gap", message, severity=severity, subject=name, objects=gap.count)


def _own_log(seen: Seen) -> Iterator[Finding]:
    """A set whose own segments are missing cannot even be made consistent."""
    present = _present(seen)
    for one in seen.sets:
        if not one.wal_start or not one.wal_stop:
            continue
        for gap in gaps_in([own_log(one, seen.segment_bytes)], present):
            name = gap.name(seen.segment_bytes)
            message = f"{one.label} cannot become consistent: {_segments(gap)} missing: {name}"
            yield _finding(seen, "gap-in-set", message, label=one.label, subject=name, objects=1)


def _present(seen: Seen) -> frozenset[SegmentName]:
    """Return the segments that are here or on their way."""
    here = _hashes(seen)
    return frozenset(SegmentName.of(name, seen.segment_bytes) for name in {*here, *seen.owed})


def _hashes(seen: Seen) -> dict[str, frozenset[str]]:
    folder = f"archive/{seen.stanza}/{seen.archive_id}/"
    return hashes_of(path for path in seen.paths if path.startswith(folder))


def _segments(gap: Gap) -> str:
    return "1 segment of log is" if gap.count == 1 else f"{gap.count} segments of log are"


def _contents_differ(seen: Seen) -> Iterator[Finding]:
    """The same segment with another content: here twice, or here and elsewhere."""
    ours = _hashes(seen)
    for name, hashes in sorted(ours.items()):
        if len(hashes) > 1:
            message = f"segment {name} is stored with {len(hashes)} different contents"
            yield _finding(seen, "differs", message, subject=name, objects=1)
    for other, theirs in sorted(seen.elsewhere.items()):
        names = sorted(
            name for name in ours.keys() & theirs.keys() if not ours[name] & theirs[name]
        )
        for name in names:
            message = f"segment {name} has another content than in {other}"
            yield _finding(seen, "differs", message, subject=name, objects=1)


def _forks_known(seen: Seen) -> Iterator[Finding]:
    """A timeline that a set or the live server is on, whose history is not there."""
    if seen.until is None or seen.until.timeline <= 1:
        return
    if seen.until.timeline not in seen.forks:
        name = f"{seen.until.timeline:08X}.history"
        message = f"{name} is missing: nobody can follow the log onto timeline {name[:8]}"
        yield _finding(seen, "history", message, subject=name, objects=1)


def _pairs(seen: Seen) -> Iterator[Finding]:
    """Manifests and info files are stored twice, for the day one of them is lost."""
    labels = {one.label for one in seen.sets}
    for path, wrong in sorted(seen.copies.items()):
        if wrong:
            label = next((part for part in path.split("/") if part in labels), "")
            yield _finding(
                seen, "manifest", f"{path}: {wrong}", label=label, subject=path, objects=1
            )


def _changed(seen: Seen) -> Iterator[Finding]:
    """Objects that are not what they were when the set was made."""
    for label, before in sorted(seen.recorded.items()):
        now = seen.objects.get(label)
        if now is None:
            continue
        gone = sorted(before.keys() - now.keys())
        other = sorted(path for path in before.keys() & now.keys() if before[path] != now[path])
        for paths, word in ((gone, "gone"), (other, "changed")):
            if paths:
                message = f"{label}: {_listed(paths)} {word} since it was made"
                yield _finding(
                    seen, "changed", message, label=label, subject=paths[0], objects=len(paths)
                )


def _listed(paths: list[str]) -> str:
    names = ", ".join(path.rpartition("/")[2] for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{names}{more}" + (" is" if len(paths) == 1 else " are")


def _read_wrong(seen: Seen) -> Iterator[Finding]:
    labels = {one.label for one in seen.sets}
    for path, wrong in sorted(seen.contents.items()):
        if wrong:
            label = next((part for part in path.split("/") if part in labels), "")
            yield _finding(
                seen, "content", f"{path}: {wrong}", label=label, subject=path, objects=1
            )


def _torn_pages(seen: Seen) -> Iterator[Finding]:
    for one in seen.sets:
        if one.error:
            message = f"{one.label} holds pages whose checksum was wrong in the database itself"
            yield _finding(seen, "page", message, label=one.label, objects=1)


def _other_database(seen: Seen) -> Iterator[Finding]:
    """The newest set must be of the database that lives: a stranger's is no backup of ours."""
    newest = max(seen.sets, key=lambda one: one.stopped, default=None)
    if newest is None or seen.live_system is None or newest.system_id == seen.live_system:
        return
    message = f"{newest.label} is of database {newest.system_id}, the live is {seen.live_system}"
    yield _finding(seen, "system", message, label=newest.label)


def _orphans(seen: Seen) -> Iterator[Finding]:
    labels = {one.label for one in seen.sets}
    for one in seen.sets:
        if one.prior and one.prior not in labels:
            message = f"{one.label} builds on {one.prior}, which is not there"
            yield _finding(seen, "orphan", message, label=one.label)


_RULES: Final[tuple[Callable[[Seen], Iterator[Finding]], ...]] = (
    _said_at_all,
    _said_of_sets,
    _said_of_log,
    _holes,
    _own_log,
    _forks_known,
    _contents_differ,
    _pairs,
    _changed,
    _read_wrong,
    _torn_pages,
    _other_database,
    _orphans,
)


def _finding(  # noqa: PLR0913 - the parts of a finding
    seen: Seen,
    code: str,
    message: str,
    *,
    severity: Severity = "critical",
    label: str = "",
    subject: str = "",
    objects: int = 0,
) -> Finding:
    return Finding(
        severity=severity,
        code=code,
        message=message,
        subject=subject,
        objects=objects,
        generation=seen.generation,
        label=label,
    )
