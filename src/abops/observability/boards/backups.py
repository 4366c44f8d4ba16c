"""Board `ab-backups`: what could be restored now, from where, how far back, and how fast."""

from functools import partial
from typing import Final

from abops.observability.boards.model import Board, Limit, Panel, Query, Row, chart, stat

E: Final = 'env=~"$env"'
_NONE: Final = "no data: abops backup run makes the first one"
_NO_DRILL: Final = "no data: abops recovery drill --all makes the first one"
_NO_VERIFY: Final = "no data: abops backup verify makes the first one"
_NO_WAL: Final = "no data: abops backup wal serve publishes it"
_FULL: Final = ',type="full"'
_HOUR: Final = 3600
_figure: Final = partial(stat, no_value=_NONE)


def backups_board() -> Board:
    """Return the board."""
    return Board(
        uid="ab-backups",
        title="Backups",
        description="Backups, their verification, the log, and restores that were tried.",
        tags=("backups",),
        span="7d",
        rows=(
            Row("Now", _now()),
            Row("Runs", _runs()),
            Row("Restores that were tried", _drills()),
            Row("Log on its way", _wal()),
            Row("Kept and verified", _kept(), collapsed=True),
        ),
    )


def _age(metric: str, which: str = "") -> str:
    return f"time() - max by (dest) ({metric}{{{E}{which}}})"


def _now() -> tuple[Panel, ...]:
    last = "abops_backup_last_success_timestamp_seconds"
    drill = "abops_restore_drill_last_success_timestamp_seconds"
    runs = "abops_backup_runs_total"
    return (
        _figure(
            "Oldest newest backup",
            "s",
            f"max({_age(last)})",
            "Age of the newest backup in the destination that is worst off. A page from 26 h on.",
            Limit(25 * _HOUR, "yellow"),
            Limit(26 * _HOUR),
        ),
        _figure(
            "Oldest full backup",
            "s",
            f"max({_age(last, _FULL)})",
            "Age of the newest full backup in the destination that is worst off.",
            Limit(7.5 * 24 * _HOUR, "yellow"),
            Limit(8 * 24 * _HOUR),
        ),
        _figure(
            "Runs that succeeded, 30 d",
            "percentunit",
            f'1 - (sum(increase({runs}{{{E},outcome="failed"}}[30d]))'
            f" or 0 * sum(increase({runs}{{{E}}}[30d])))"
            f" / (sum(increase({runs}{{{E}}}[30d])) > 0)",
            "Share of the runs of 30 days that succeeded; missed ones failed. Promised: 99.9 %.",
        ),
        _figure(
            "Damaged objects",
            "short",
            f"max(abops_backup_verify_invalid_objects{{{E}}})",
            "Objects with a wrong checksum, or missing, in the worst destination. One is too many.",
            Limit(1),
            no_value=_NO_VERIFY,
        ),
        _figure(
            "Last restore that worked",
            "s",
            f"max({_age(drill)})",
            "Time since the last restore that worked, for the destination that is worst off.",
            Limit(4 * 24 * _HOUR, "yellow"),
            Limit(8 * 24 * _HOUR),
            no_value=_NO_DRILL,
        ),
        _figure(
            "Loss if it burns now",
            "s",
            f"min(max by (dest) (abops_backup_wal_oldest_owed_seconds{{{E}}}))",
            "Age of the oldest log that the best destination has not got. Promised: 5 minutes.",
            Limit(60, "yellow"),
            Limit(300),
            no_value=_NO_WAL,
        ),
    )


def _runs() -> tuple[Panel, ...]:
    return (
        chart(
            "Age of the newest backup",
            "s",
            "By destination. The saw tooth has teeth of a day.",
            Query(_age("abops_backup_last_success_timestamp_seconds"), "{{dest}}"),
            limits=(Limit(26 * _HOUR),),
            no_value=_NONE,
        ),
        chart(
            "Runs of a day",
            "short",
            "Runs of the day before each moment, by outcome.",
            Query(
                f"sum by (dest, outcome) (increase(abops_backup_runs_total{{{E}}}[1d]))",
                "{{dest}} {{outcome}}",
            ),
            no_value=_NONE,
        ),
        chart(
            "Time of a run",
            "s",
            "How long the last run took, by destination and type.",
            Query(
                f"max by (dest, type) (abops_backup_duration_seconds{{{E}}})", "{{dest}} {{type}}"
            ),
            no_value=_NONE,
        ),
        chart(
            "Size of a backup",
            "bytes",
            "Size of the last backup. A full one below half of its usual size is suspicious.",
            Query(f"max by (dest, type) (abops_backup_size_bytes{{{E}}})", "{{dest}} {{type}}"),
            no_value=_NONE,
            width=12,
        ),
        chart(
            "Size of a destination",
            "bytes",
            "Everything that is kept there: it is paid for.",
            Query(f"max by (dest) (abops_backup_repo_bytes{{{E}}})", "{{dest}}"),
            no_value=_NONE,
            width=12,
        ),
    )


def _drills() -> tuple[Panel, ...]:
    return (
        chart(
            "Time to restore",
            "s",
            "From nothing to a server that answers and was checked. Promised: an hour.",
            Query(f"sum by (dest) (abops_restore_drill_rto_seconds{{{E}}})", "{{dest}}"),
            limits=(Limit(_HOUR),),
            no_value=_NO_DRILL,
        ),
        chart(
            "Time to restore, by phase",
            "s",
            "Where the time goes: fetch is the destination, replay the log.",
            Query(f"max by (phase) (abops_restore_drill_rto_seconds{{{E}}})", "{{phase}}"),
            stacked=True,
            no_value=_NO_DRILL,
        ),
        chart(
            "Data lost in a restore",
            "s",
            "Between the moment asked for and the last data that came back. Promised: 5 minutes.",
            Query(f"max by (dest) (abops_restore_drill_rpo_seconds{{{E}}})", "{{dest}}"),
            limits=(Limit(300),),
            no_value=_NO_DRILL,
        ),
        chart(
            "Drills of a week",
            "short",
            "Drills of the week before each moment, by outcome.",
            Query(
                f"sum by (dest, outcome) (increase(abops_restore_drill_runs_total{{{E}}}[7d]))",
                "{{dest}} {{outcome}}",
            ),
            no_value=_NO_DRILL,
            width=24,
        ),
    )


def _wal() -> tuple[Panel, ...]:
    pushes = f"abops_backup_wal_push_seconds_bucket{{{E}}}"
    return (
        chart(
            "Segments owed",
            "short",
            "Segments that a destination has not got yet. They drain by themselves.",
            Query(f"max by (dest) (abops_backup_wal_owed_segments{{{E}}})", "{{dest}}"),
            no_value=_NO_WAL,
        ),
        chart(
            "Oldest segment owed",
            "s",
            "What a loss of this machine would cost, by destination. A page from 15 minutes on.",
            Query(f"max by (dest) (abops_backup_wal_oldest_owed_seconds{{{E}}})", "{{dest}}"),
            limits=(Limit(900),),
            no_value=_NO_WAL,
        ),
        chart(
            "Time to push a segment",
            "s",
            "For the slowest twentieth. PostgreSQL waits for one destination, not for all.",
            Query(
                f"histogram_quantile(0.95, sum by (le, dest) (rate({pushes}[$__rate_interval])))",
                "{{dest}}",
            ),
            limits=(Limit(0.5, "yellow"),),
            no_value=_NO_WAL,
        ),
        Panel(
            title="Destinations that answer",
            description="1 while a destination takes what it is sent.",
            unit="short",
            kind="state-timeline",
            queries=(Query(f"min by (dest) (abops_backup_destination_up{{{E}}})", "{{dest}}"),),
            limits=(Limit(1, "green"),),
            reversed_limits=True,
            values={"0": "down", "1": "up"},
            no_value=_NO_WAL,
            width=12,
        ),
        chart(
            "Missing segments",
            "short",
            "Gaps in the log: nothing behind one can be restored from there.",
            Query(f"max by (dest) (abops_backup_wal_gap_segments{{{E}}})", "{{dest}}"),
            limits=(Limit(1),),
            no_value=_NO_VERIFY,
            width=12,
        ),
    )


def _kept() -> tuple[Panel, ...]:
    return (
        chart(
            "How far back",
            "s",
            "Age of the oldest moment that can be restored. Promised: 30 days.",
            Query(
                "time() - min by (dest)"
                f" (abops_backup_oldest_recoverable_timestamp_seconds{{{E}}})",
                "{{dest}}",
            ),
            no_value=_NONE,
        ),
        chart(
            "Since the last verification",
            "s",
            "Time since everything in a destination was found whole.",
            Query(_age("abops_backup_verify_last_success_timestamp_seconds"), "{{dest}}"),
            limits=(Limit(50 * _HOUR),),
            no_value=_NO_VERIFY,
        ),
        chart(
            "Against the policy",
            "short",
            "Sets that are gone too early, or are there too long.",
            Query(f"max by (dest) (abops_backup_retention_violations{{{E}}})", "{{dest}}"),
            limits=(Limit(1),),
            no_value="no data: abops backup retain --dry-run counts them",
        ),
        chart(
            "Behind its original",
            "s",
            "How far a mirror is behind the destination that it copies.",
            Query(f"max by (dest) (abops_backup_mirror_lag_seconds{{{E}}})", "{{dest}}"),
            limits=(Limit(50 * _HOUR),),
            no_value="no data: abops backup mirror makes the first copy",
        ),
        chart(
            "Age of the newest key",
            "short",
            "In days. It is changed before a year is over.",
            Query(f"min by (dest) (abops_backup_key_age_days{{{E}}})", "{{dest}}"),
            limits=(Limit(335, "yellow"), Limit(365)),
            no_value="no data: abops backup init makes the first key",
        ),
        chart(
            "Since settings and secrets were saved",
            "s",
            "They are saved every hour.",
            Query(_age("abops_backup_config_last_success_timestamp_seconds"), "{{dest}}"),
            limits=(Limit(26 * _HOUR),),
            no_value="no data: abops backup config save makes the first one",
        ),
    )
