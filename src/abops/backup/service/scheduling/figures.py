"""The figures that rules, boards and pages read, made from what the catalog holds.

The catalog is the memory: figures are right after a start, and with every scheduler of a home.
A moment that never came is left out: no age can be told from it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import Final, Literal

from msgspec import Struct

from abops.backup.model import Destination, SetFacts, Timetable
from abops.backup.retain import Promise
from abops.backup.schedule.agenda import BACKUPS, may_be_tried
from abops.backup.store.records import Bundle, Check, Drill, MirrorRun, Run, Verdict

TYPES: Final = ("full", "incr")
OUTCOMES: Final = ("success", "failed")
Kind = Literal["gauge", "counter"]


class Keyed(Struct, frozen=True):
    """A key generation of a destination and when it was made."""

    destination: str
    generation: str
    made: float


class Known(Struct, frozen=True, kw_only=True):
    """What the figures are made of. Records of one kind go from new to old."""

    now: float
    places: tuple[Destination, ...]
    timetable: Timetable = Timetable()
    stanza: str = ""
    pg_version: str = ""
    sets: tuple[SetFacts, ...] = ()
    """All that are stored, of every generation."""
    runs: tuple[Run, ...] = ()
    checks: tuple[Check, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    drills: tuple[Drill, ...] = ()
    mirrors: tuple[MirrorRun, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    keys: tuple[Keyed, ...] = ()
    promises: dict[str, Promise] = {}
    """Whether the policy is kept, by destination."""


class Sample(Struct, frozen=True):
    """One value of a family; labels in the family's order."""

    labels: tuple[str, ...]
    value: float


Values = Callable[[Known], Iterator[Sample]]


class Family(Struct, frozen=True):
    """A metric: its name, what it says, its labels, and how its values are found."""

    name: str
    text: str
    labels: tuple[str, ...]
    values: Values
    kind: Kind = "gauge"


def _sources(known: Known) -> Iterator[tuple[str, list[SetFacts]]]:
    """Yield each destination that makes backups, with its sets from old to new."""
    for place in known.places:
        if place.role == "backup":
            mine = [one for one in known.sets if one.destination == place.name]
            yield place.name, sorted(mine, key=lambda one: one.stopped)


def _by_type(value: Callable[[SetFacts], float]) -> Values:
    """Return the values of the newest set of each type."""

    def values(known: Known) -> Iterator[Sample]:
        for name, mine in _sources(known):
            for kind in TYPES:
                of_kind = [one for one in mine if one.type == kind]
                if of_kind:
                    yield Sample((name, kind), value(of_kind[-1]))

    return values


def _kept(known: Known) -> Iterator[Sample]:
    for name, mine in _sources(known):
        yield Sample((name,), sum(one.repo_size for one in mine))


def runs_by_outcome(runs: Iterable[Run], policy: Timetable) -> dict[tuple[str, str, str], int]:
    """Count what ended for good by destination, type and outcome.

    A run that failed and will be tried again has not ended. One that nobody began counts as
    failed; one that was given up because a later one took its place does too.
    """
    counted: dict[tuple[str, str, str], int] = {}
    ordered = sorted(runs, key=lambda one: one.started)
    latest = {one.destination: one.started for one in ordered if one.kind in BACKUPS}
    for one in ordered:
        if one.kind not in BACKUPS or one.state == "running":
            continue
        outcome = "success" if one.state == "success" else "failed"
        again = bool(one.holder) and may_be_tried(one, policy)
        if outcome == "failed" and again and latest[one.destination] <= one.started:
            continue
        key = (one.destination, one.kind, outcome)
        counted[key] = counted.get(key, 0) + 1
    return counted


def _runs(known: Known) -> Iterator[Sample]:
    counted = runs_by_outcome(known.runs, known.timetable)
    names = [name for name, _ in _sources(known)]
    for key in product(names, TYPES, OUTCOMES):
        yield Sample(key, counted.get(key, 0))


def _newest_check(value: Callable[[Check], float], *, passed: bool = False) -> Values:
    def values(known: Known) -> Iterator[Sample]:
        for name, _ in _sources(known):
            mine = [
                one
                for one in known.checks
                if one.destination == name and (one.outcome == "success" or not passed)
            ]
            if mine:
                yield Sample((name,), value(mine[0]))

    return values


def _newest_drill(value: Callable[[Drill], float | None]) -> Values:
    def values(known: Known) -> Iterator[Sample]:
        for name, drill in _good_drills(known):
            found = value(drill)
            if found is not None:
                yield Sample((name,), found)

    return values


def _good_drills(known: Known) -> Iterator[tuple[str, Drill]]:
    for name, _ in _sources(known):
        good = (one for one in known.drills if one.destination == name and one.outcome == "success")
        newest = next(good, None)
        if newest is not None:
            yield name, newest


def _phases(known: Known) -> Iterator[Sample]:
    for name, drill in _good_drills(known):
        for phase, seconds in drill.phases.items():
            yield Sample((name, phase), seconds)


def _drills(known: Known) -> Iterator[Sample]:
    for name, _ in _sources(known):
        for outcome in OUTCOMES:
            mine = (name, outcome)
            yield Sample(mine, sum((one.destination, one.outcome) == mine for one in known.drills))


def _bundles(known: Known) -> Iterator[Sample]:
    for place in known.places:
        made = [
            one.made
            for one in known.bundles
            if one.destination == place.name and one.state != "failed"
        ]
        if made:
            yield Sample((place.name,), max(made))


def _key_ages(known: Known) -> Iterator[Sample]:
    for one in known.keys:
        yield Sample((one.destination, one.generation), (known.now - one.made) / 86_400)


def _mirror_lags(known: Known) -> Iterator[Sample]:
    """Yield for how long a mirror has lacked something that was found whole in its source."""
    for place in known.places:
        if place.role != "mirror":
            continue
        copied = next(
            (
                run.started
                for run in known.mirrors
                if run.destination == place.name and run.outcome == "success"
            ),
            0.0,
        )
        lacking = [one.at for one in known.verdicts if one.destination == place.of and one.valid]
        since = min((at for at in lacking if at > copied), default=None)
        yield Sample((place.name,), 0.0 if since is None else known.now - since)


def _oldest(known: Known) -> Iterator[Sample]:
    for name, promise in known.promises.items():
        if promise.oldest_recoverable is not None:
            yield Sample((name,), promise.oldest_recoverable)


def _violations(known: Known) -> Iterator[Sample]:
    for name, promise in known.promises.items():
        yield Sample((name,), promise.violations)


_DEST: Final = ("dest",)
_TYPED: Final = ("dest", "type")
FAMILIES: Final = (
    Family(
        "abops_backup_last_success_timestamp_seconds",
        "When the newest backup ended",
        _TYPED,
        _by_type(lambda one: one.stopped),
    ),
    Family(
        "abops_backup_size_bytes",
        "Size of the database in the newest backup",
        _TYPED,
        _by_type(lambda one: one.size),
    ),
    Family(
        "abops_backup_duration_seconds",
        "How long the newest backup took",
        _TYPED,
        _by_type(lambda one: one.stopped - one.started),
    ),
    Family("abops_backup_repo_bytes", "Bytes kept of all backups", _DEST, _kept),
    Family(
        "abops_backup_runs",
        "Backups that ended for good; one that nobody began failed",
        ("dest", "type", "outcome"),
        _runs,
        "counter",
    ),
    Family(
        "abops_backup_verify_invalid_objects",
        "Objects that the last verification found damaged or missing",
        _DEST,
        _newest_check(lambda one: one.invalid_objects),
    ),
    Family(
        "abops_backup_wal_gap_segments",
        "Segments of log that the last verification found missing",
        _DEST,
        _newest_check(lambda one: one.gap_segments),
    ),
    Family(
        "abops_backup_verify_last_success_timestamp_seconds",
        "When a verification last found everything whole",
        _DEST,
        _newest_check(lambda one: one.ended, passed=True),
    ),
    Family(
        "abops_restore_drill_last_success_timestamp_seconds",
        "When a rehearsed restore last succeeded",
        _DEST,
        _newest_drill(lambda one: one.ended),
    ),
    Family(
        "abops_restore_drill_rpo_seconds",
        "How much the last good rehearsal would have lost",
        _DEST,
        _newest_drill(lambda one: one.rpo_s),
    ),
    Family(
        "abops_restore_drill_rto_seconds",
        "How long each phase of the last good rehearsal took",
        ("dest", "phase"),
        _phases,
    ),
    Family(
        "abops_restore_drill_runs",
        "Rehearsed restores",
        ("dest", "outcome"),
        _drills,
        "counter",
    ),
    Family(
        "abops_backup_config_last_success_timestamp_seconds",
        "When configuration and secrets were last saved",
        _DEST,
        _bundles,
    ),
    Family(
        "abops_backup_key_age_days",
        "Age of a key generation",
        ("dest", "generation"),
        _key_ages,
    ),
    Family(
        "abops_backup_mirror_lag_seconds",
        "For how long a mirror lacks what was found whole in its source",
        _DEST,
        _mirror_lags,
    ),
    Family(
        "abops_backup_oldest_recoverable_timestamp_seconds",
        "From this moment on each point can be returned to",
        _DEST,
        _oldest,
    ),
    Family(
        "abops_backup_retention_violations",
        "Sets that the policy keeps and that are gone, or that it let go and that are there",
        _DEST,
        _violations,
    ),
)


def figures(
    known: Known, families: Sequence[Family] = FAMILIES
) -> list[tuple[Family, list[Sample]]]:
    """Return every family with its values."""
    return [(family, list(family.values(known))) for family in families]
