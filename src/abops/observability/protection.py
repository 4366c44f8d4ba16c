"""How each destination of the backups stands, read from the series that the backups publish.

One question brings all of them; what they mean beside the promises of platform.yaml is decided
here. The limits of age are those of the alerts.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from abops.inventory.backup import Backup
from abops.kernel.quantities import humanize_seconds
from abops.observability.catalogue.backup_place import (
    BACKUP_AGE,
    CONFIG_AGE,
    DRILL_AGE,
    FULL_AGE,
    KEY_AGE_DAYS,
    OWED_AGE,
)

Severity = Literal["critical", "warning", "info"]
Sample = tuple[Mapping[str, str], float]
"""Labels, `__name__` among them, and the value."""

_GAUGES: Final = (
    "abops_backup_last_success_timestamp_seconds",
    "abops_backup_size_bytes",
    "abops_backup_repo_bytes",
    "abops_backup_destination_up",
    "abops_backup_wal_owed_segments",
    "abops_backup_wal_oldest_owed_seconds",
    "abops_backup_wal_gap_segments",
    "abops_backup_verify_invalid_objects",
    "abops_backup_verify_last_success_timestamp_seconds",
    "abops_backup_oldest_recoverable_timestamp_seconds",
    "abops_backup_key_age_days",
    "abops_backup_config_last_success_timestamp_seconds",
    "abops_restore_drill_last_success_timestamp_seconds",
    "abops_restore_drill_rto_seconds",
    "abops_restore_drill_rpo_seconds",
)
QUERY: Final = f'{{__name__=~"{"|".join(_GAUGES)}"}}'
PHASES: Final = ("provision", "fetch", "replay", "promote", "checks")


class Problem(Struct, frozen=True):
    """Something that keeps a destination from what is promised, and the alert that tells it."""

    severity: Severity
    words: str
    alert: str


class Drill(Struct, frozen=True):
    """The last restore that was tried and worked."""

    at: datetime
    rto: timedelta
    phases: tuple[tuple[str, timedelta], ...]
    rpo: timedelta | None


class Standing(Struct, frozen=True, kw_only=True):
    """One destination in one environment. None: nothing was published of it."""

    env: str
    dest: str
    full: datetime | None = None
    newest: datetime | None = None
    """The newest backup of any type."""
    size: float | None = None
    """Bytes of the newest full backup."""
    kept: float | None = None
    """Bytes of everything that is kept there."""
    answers: bool | None = None
    owed: int | None = None
    """WAL segments that it has not got yet."""
    oldest_owed: timedelta | None = None
    gaps: int | None = None
    damaged: int | None = None
    verified: datetime | None = None
    oldest: datetime | None = None
    """The earliest moment that can be returned to."""
    key_days: float | None = None
    configuration: datetime | None = None
    drill: Drill | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def severity(self) -> Severity | None:
        """Return the worst of its problems."""
        ranks: tuple[Severity, ...] = ("critical", "warning", "info")
        found = {problem.severity for problem in self.problems}
        return next((rank for rank in ranks if rank in found), None)


def standings(backup: Backup, samples: Iterable[Sample], now: datetime) -> tuple[Standing, ...]:
    """Return every destination: those that platform.yaml names, in its order, then others.

    A destination that publishes nothing stands there with what is missing, once, without an
    environment.
    """
    series: dict[tuple[str, str], list[Sample]] = {}
    for labels, value in samples:
        if dest := labels.get("dest", ""):
            series.setdefault((labels.get("env", ""), dest), []).append((labels, value))
    order = {name: index for index, name in enumerate(backup.destinations)}
    keys = sorted(series, key=lambda key: (key[0], order.get(key[1], len(order)), key[1]))
    told = {dest for _env, dest in keys}
    keys += [("", name) for name in backup.destinations if name not in told]
    return tuple(_standing(backup, key, series.get(key, []), now) for key in keys)


def _standing(
    backup: Backup, key: tuple[str, str], samples: list[Sample], now: datetime
) -> Standing:
    env, dest = key

    def values(name: str, **which: str) -> list[float]:
        return [
            value
            for labels, value in samples
            if labels["__name__"] == name and which.items() <= labels.items()
        ]

    def highest(name: str, **which: str) -> float | None:
        return max(values(f"abops_{name}", **which), default=None)

    last = "backup_last_success_timestamp_seconds"
    up, owed = highest("backup_destination_up"), highest("backup_wal_owed_segments")
    gaps, damaged = highest("backup_wal_gap_segments"), highest("backup_verify_invalid_objects")
    waits = highest("backup_wal_oldest_owed_seconds")
    bare = Standing(
        env=env,
        dest=dest,
        full=_moment(highest(last, type="full")),
        newest=_moment(highest(last)),
        size=highest("backup_size_bytes", type="full"),
        kept=highest("backup_repo_bytes"),
        answers=None if up is None else up > 0,
        owed=None if owed is None else int(owed),
        oldest_owed=None if waits is None else timedelta(seconds=waits),
        gaps=None if gaps is None else int(gaps),
        damaged=None if damaged is None else int(damaged),
        verified=_moment(highest("backup_verify_last_success_timestamp_seconds")),
        oldest=_moment(highest("backup_oldest_recoverable_timestamp_seconds")),
        key_days=min(values("abops_backup_key_age_days"), default=None),
        configuration=_moment(highest("backup_config_last_success_timestamp_seconds")),
        drill=_drill(samples),
    )
    return _judged(bare, backup, now)


def _drill(samples: list[Sample]) -> Drill | None:
    named = {
        (labels["__name__"], labels.get("phase", "")): value
        for labels, value in samples
        if labels["__name__"].startswith("abops_restore_drill_")
    }
    at = _moment(named.get(("abops_restore_drill_last_success_timestamp_seconds", "")))
    if at is None:
        return None
    phases = tuple(
        (phase, timedelta(seconds=named["abops_restore_drill_rto_seconds", phase]))
        for phase in PHASES
        if ("abops_restore_drill_rto_seconds", phase) in named
    )
    rpo = named.get(("abops_restore_drill_rpo_seconds", ""))
    total = sum((span for _phase, span in phases), timedelta())
    return Drill(at, total, phases, None if rpo is None else timedelta(seconds=rpo))


def _moment(seconds: float | None) -> datetime | None:
    """Return a time stamp of Prometheus; 0 says that it never happened."""
    return datetime.fromtimestamp(seconds, tz=UTC) if seconds else None


def _judged(one: Standing, backup: Backup, now: datetime) -> Standing:
    """Return the standing with what is wrong, the worst first."""
    found = [*_copies(one, now), *_log(one), *_return(one, backup, now), *_keeping(one, now)]
    if one.env == "":
        found = [Problem("warning", "nothing is known of it: no series", "BackupTooOld")]
    ranks = {"critical": 0, "warning": 1, "info": 2}
    found.sort(key=lambda problem: ranks[problem.severity])
    return replace(one, problems=tuple(found))


def _copies(one: Standing, now: datetime) -> Iterable[Problem]:
    if one.newest is None:
        yield Problem("critical", "there is no backup", "BackupTooOld")
    elif now - one.newest > BACKUP_AGE:
        yield Problem(
            "critical", f"the newest backup is {_age(now, one.newest)} old", "BackupTooOld"
        )
    elif one.full is None or now - one.full > FULL_AGE:
        words = f"is {_age(now, one.full)} old" if one.full else "is missing"
        yield Problem("warning", f"the newest full backup {words}", "BackupTooOld")
    if one.damaged:
        yield Problem("critical", f"{_count(one.damaged, 'object')} damaged", "BackupVerifyFailed")
    if one.gaps:
        yield Problem("critical", f"{_count(one.gaps, 'WAL segment')} missing", "BackupWalGap")


def _log(one: Standing) -> Iterable[Problem]:
    if one.oldest_owed is not None and one.oldest_owed > OWED_AGE:
        waits = humanize_seconds(one.oldest_owed.total_seconds())
        yield Problem("warning", f"the log waits for it since {waits}", "BackupRegionStale")
    elif one.answers is False:
        yield Problem("warning", "it does not answer", "BackupRegionStale")


def _return(one: Standing, backup: Backup, now: datetime) -> Iterable[Problem]:
    targets, drill = backup.targets, one.drill
    if drill is None:
        yield Problem("warning", "no restore from it was ever tried", "BackupRestoreDrillTooOld")
        return
    if now - drill.at > DRILL_AGE:
        words = f"the last restore that worked is {_age(now, drill.at)} ago"
        yield Problem("warning", words, "BackupRestoreDrillTooOld")
    for name, found, promised in (
        ("restoring took", drill.rto, targets.rto),
        ("a restore lost", drill.rpo, targets.rpo),
    ):
        if found is not None and found > promised:
            took, of = (humanize_seconds(span.total_seconds()) for span in (found, promised))
            yield Problem("warning", f"{name} {took}; promised is {of}", "BackupRestoreDrillTooOld")


def _keeping(one: Standing, now: datetime) -> Iterable[Problem]:
    if one.key_days is not None and one.key_days > KEY_AGE_DAYS:
        yield Problem("warning", f"its key is {one.key_days:.0f} days old", "BackupKeyExpires")
    if one.configuration is not None and now - one.configuration > CONFIG_AGE:
        age = _age(now, one.configuration)
        yield Problem("warning", f"its configuration bundle is {age} old", "BackupConfigStale")


def _age(now: datetime, then: datetime) -> str:
    return humanize_seconds((now - then).total_seconds())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
