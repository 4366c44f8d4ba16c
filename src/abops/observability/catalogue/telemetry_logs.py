"""Whether lines of the services end in the log store, and what they say when they do.

The series come from who looks after the log path, so they exist where there is one: without it
every alert here is silent. Line counts are gauges: of error lines in the last five minutes, and
of dead letters in their file.
"""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, burst, labelled, steady
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.histories import stepped
from abops.observability.catalogue.telemetry_keeper import keeper_stopped
from abops.observability.catalogue.telemetry_place import GROUP, place

_MINUTE: Final = timedelta(minutes=1)
_BOARD: Final = "logs"
_TOLD_BY: Final = {"job": "node", "service": "node-exporter", "env": "local"}
_LOCAL: Final = {"env": "local"}
_ERRORS: Final = "max by (env, part) (abops_log_error_lines)"
_STEP: Final = 10 * _MINUTE
_TIMES: Final = 3
_DAY: Final = 144
"""Steps of a day."""
_NOW: Final = 200
_YESTERDAY: Final = _NOW - _DAY


def log_alerts(teams: dict[str, str]) -> tuple[Alert, ...]:
    """Return the alerts about the log path; `teams` maps a part to its team."""
    team = teams["node-exporter"]
    return (
        _ingest_lag(team),
        _store_watermark(team),
        _store_red(team),
        _error_spike(team),
        _dead_letters(team),
        keeper_stopped(team),
    )


_LAG_RUNBOOK: Final = Runbook(
    meaning=(
        "Among the last 200 lines of a file there is one that the store lacks although it was"
        " written more than five minutes ago."
    ),
    diagnosis=shell(
        "abops observability logs reconcile --check   # which files, how many lines",
        "abops stack logs rsyslog -n 50",
        "abops stack logs logs-keeper -n 20",
        "curl -s http://LOG_STORE/_cluster/health?pretty",
    )
    + "\nOne part only: its line is refused (LogDeadLetters). All parts: the shipper stands, or"
    " the store answers 429 or 503 and the lines wait in the shipper's queue.",
    mitigation=shell(
        "abops stack restart rsyslog",
        "abops observability logs reconcile           # sends what is missing, no line twice",
    )
    + "\nThe files are the truth for 48 hours after they are cut: until the store has the lines,"
    " `abops stack logs PART` shows them.",
)


def _ingest_lag(team: str) -> Alert:
    hold = 2 * _MINUTE
    return Alert(
        name="LogIngestLag",
        group=GROUP,
        severity="warning",
        expr="max by (env) (abops_log_ingest_lag_seconds) > {threshold}",
        threshold=300,
        unit="s",
        reason="Lines are found after seconds; five minutes outlast a restart of the store.",
        hold=hold,
        summary="Log lines are missing in the store for {{ $value | humanizeDuration }}",
        impact="A search shows an incident's beginning, not what happens now.",
        labels=place("logs", "latency", team),
        board=_BOARD,
        runbook=_LAG_RUNBOOK,
        cases=around(
            300,
            lambda value: labelled("abops_log_ingest_lag_seconds", steady(value), _TOLD_BY),
            lambda _value: Fired(_LOCAL, "Log lines are missing in the store for 5m 30s"),
            timing=Timing(hold=hold),
        ),
    )


_WATERMARK_RUNBOOK: Final = Runbook(
    meaning=(
        "The fullest disk of the log store is past 80 %. At 85 % the store gives the node no new"
        " shards, at 90 % it moves shards away, at 95 % its indices take no more lines."
    ),
    diagnosis=shell(
        "curl -s 'http://LOG_STORE/_cat/allocation?v'",
        "curl -s 'http://LOG_STORE/_cat/indices/logs-*?v&s=store.size:desc&bytes=mb' | head -20",
        "abops observability logs search --since 1h -n 20   # which part talks so much",
    ),
    mitigation=shell(
        "abops observability logs rollover   # new indices, and those past 30 days go",
    )
    + "\nStill full: delete the oldest backing index of the loudest stream (`DELETE"
    " /.ds-logs-...-000001`; never the one written to), or give the store a larger disk. Indices"
    " that became read-only take lines again by themselves once the disk is below 90 %.",
)


def _store_watermark(team: str) -> Alert:
    hold = 5 * _MINUTE
    return Alert(
        name="LogStoreWatermark",
        group=GROUP,
        severity="warning",
        expr="max by (env) (abops_log_store_disk_used_ratio) > {threshold}",
        threshold=0.8,
        unit="of the disk",
        reason="The store begins to defend itself at 85 %; a twentieth is left to act.",
        hold=hold,
        summary="The log store's disk is {{ $value | humanizePercentage }} full",
        impact="From 95 % on the store takes no more lines: they wait in their files.",
        labels=place("logs", "saturation", team),
        board=_BOARD,
        runbook=_WATERMARK_RUNBOOK,
        cases=around(
            0.8,
            lambda value: labelled("abops_log_store_disk_used_ratio", steady(value), _TOLD_BY),
            lambda _value: Fired(_LOCAL, "The log store's disk is 88% full"),
            timing=Timing(hold=hold),
        ),
    )


_RED_RUNBOOK: Final = Runbook(
    meaning=(
        "The log store does not answer, or is red: an index has a shard that no node serves."
        " Yellow (a copy is missing) is no page; one node is always yellow."
    ),
    diagnosis=shell(
        "curl -s http://LOG_STORE/_cluster/health?pretty",
        "curl -s 'http://LOG_STORE/_cat/shards?v&h=index,shard,state,unassigned.reason' |"
        " grep -v STARTED",
        "curl -s http://LOG_STORE/_cluster/allocation/explain?pretty",
        "abops stack logs opensearch -n 50",
        "df -h",
    )
    + "\nNo answer at all: the process is gone, most often for memory (`dmesg | tail`).",
    mitigation=shell(
        "abops stack restart opensearch",
        "abops observability logs reconcile   # once it answers: nothing that waited is lost",
    )
    + "\nA full disk: LogStoreWatermark. A broken index: delete it alone (`DELETE /INDEX`) and run"
    " `reconcile`; its lines of the last 48 hours come back from the files. Until then"
    " `abops stack logs PART` reads the files. Do not stop rsyslog meanwhile: its queue holds"
    " lines.",
)


def _store_red(team: str) -> Alert:
    hold = 2 * _MINUTE
    fired = Fired(_LOCAL, "The log store is red or does not answer")

    def store(up: int, *status: int) -> dict[str, str]:
        series = labelled("abops_log_store_up", steady(up), _TOLD_BY)
        for one in status:  # none where the store does not answer
            series |= labelled("abops_log_store_status", steady(one), _TOLD_BY)
        return series

    return Alert(
        name="LogStoreRed",
        group=GROUP,
        severity="critical",
        expr=(
            "max by (env) (abops_log_store_up) == {threshold}"
            " or max by (env) (abops_log_store_status) == 2"
        ),
        threshold=0,
        unit="",
        reason="The metric is 1 or 0; two minutes outlast a restart of the store.",
        hold=hold,
        summary="The log store is red or does not answer",
        impact="Logs cannot be searched, and new lines wait in their files.",
        labels=place("logs", "availability", team, "critical"),
        board=_BOARD,
        runbook=_RED_RUNBOOK,
        cases=(
            Case("it does not answer", store(0), hold, (fired,)),
            Case("not before its hold", store(0), hold - _MINUTE / 4),
            Case("it is red", store(1, 2), hold, (fired,)),
            Case("yellow is no page", store(1, 1), 2 * hold),
            Case("it is well", store(1, 0), 2 * hold),
            Case("there is no log store here", {}, 2 * hold),
        ),
    )


_SPIKE_RUNBOOK: Final = Runbook(
    meaning=(
        "A part writes more than 20 error lines in five minutes, for ten minutes, and more than"
        " three times as many as in the hour around this time a day ago."
    ),
    diagnosis=shell(
        "abops observability logs search --service PART --level error --since 15m -n 50",
        "abops observability logs search --trace TRACE   # the whole story of one of them",
        "abops delivery status --env ENV                 # was something deployed just now?",
    )
    + "\nOne message over and over: one cause. Many different ones: a store or network they share.",
    mitigation=(
        "Began with a deploy: `abops delivery rollback --env ENV`. Began with a store or a"
        " provider: their alert leads. Errors that nobody must act on belong to level warning:"
        " change the line, not the threshold."
    ),
)


def _error_spike(team: str) -> Alert:
    return Alert(
        name="LogErrorSpike",
        group=GROUP,
        severity="warning",
        # `unless`: a part that had no errors a day ago has no series from then.
        expr=(
            f"{_ERRORS} > {{threshold}} unless {_ERRORS} <= {_TIMES} * max by (env, part)"
            " (max_over_time(abops_log_error_lines[1h] offset 23h30m))"
        ),
        threshold=20,
        unit="error lines in five minutes",
        reason="Below that somebody reads them one by one; ten minutes outlast a single burst.",
        hold=_STEP,
        step=_STEP,
        summary="{{ $labels.part }} writes {{ $value | humanize }} error lines in five minutes",
        impact="Something fails again and again; what users see of it, other alerts tell.",
        labels=place("logs", "errors", team),
        board=_BOARD,
        runbook=_SPIKE_RUNBOOK,
        cases=_spike_cases(),
    )


def _spike_cases() -> tuple[Case, ...]:
    part = {"part": "api"}
    at = _NOW * _STEP

    def fired(lines: int) -> Fired:
        return Fired(_LOCAL | part, f"api writes {lines} error lines in five minutes")

    def history(lines: int, earlier: int, *, begin: int, end: int) -> dict[str, str]:
        """Return `lines` now, and `earlier` a day ago from `begin` steps before this time on."""
        values = [
            (_YESTERDAY - begin, earlier),
            (_YESTERDAY - end, 0),
            (_NOW - 1, lines),
        ]
        return labelled("abops_log_error_lines", stepped(values, 0), _TOLD_BY | part)

    return (
        *around(
            20,
            lambda value: labelled("abops_log_error_lines", steady(value), _TOLD_BY | part),
            lambda value: fired(round(value)),
            timing=Timing(hold=_STEP, step=_STEP),
        ),
        Case("more than usual", history(33, 10, begin=8, end=-8), at, (fired(33),)),
        Case("as on every day", history(27, 10, begin=8, end=-8), at),
        Case("a job that began a little earlier", history(40, 30, begin=3, end=1), at),
        Case("another job, an hour before", history(40, 30, begin=6, end=4), at, (fired(40),)),
    )


_DEAD_RUNBOOK: Final = Runbook(
    meaning="The store refused lines for good; they went to `dead-letter.jsonl` of the shipper.",
    diagnosis=shell(
        "tail -n 3 .stack/data/rsyslog/dead-letter.jsonl |"
        " jq '{time, stream, status, reason, cause}'",
        "abops observability logs reconcile --check",
        "curl -s 'http://LOG_STORE/_index_template/analyticbot-logs?pretty'",
    )
    + "\n`mapper_parsing_exception`: a field has another type than before. `limit of total"
    " fields`: somebody makes field names of data. `pipeline`: the pipeline is missing.",
    mitigation=(
        "Mend the line in the service (type or name of the field), or bring pipeline and template"
        " back, then send the lines again:\n\n"
        + shell(
            "abops observability logs setup",
            "abops observability logs rollover",
            "abops observability logs reconcile",
        )
        + "\nThe lines are in the dead-letter file, complete: nothing is lost while it is kept. It"
        " is not masked; do not copy it into a chat."
    ),
)


def _dead_letters(team: str) -> Alert:
    window = 15 * _MINUTE
    return Alert(
        name="LogDeadLetters",
        group=GROUP,
        severity="warning",
        expr="max by (env) (delta(abops_log_dead_letters[15m])) > {threshold}",
        threshold=0,
        unit="lines",
        reason="A refused line is followed by more: each of its kind is refused.",
        summary="The log store refuses lines for good",
        impact="Lines of this kind are not found by a search; the dead-letter file has them.",
        labels=place("logs", "errors", team),
        board=_BOARD,
        runbook=_DEAD_RUNBOOK,
        cases=burst(
            "abops_log_dead_letters",
            _TOLD_BY,
            window,
            Fired(_LOCAL, "The log store refuses lines for good"),
        ),
    )
