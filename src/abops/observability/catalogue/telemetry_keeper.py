"""Whether somebody still looks after the log path.

Every other alert on logs reads what the keeper writes, and is silent without it. The keeper takes
its file away when it is stopped and leaves it as it is when it is killed, so what counts is how
long ago it wrote, as far as a day remembers.
"""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, labelled, steady
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.histories import since
from abops.observability.catalogue.telemetry_place import GROUP, place

PART: Final = "logs-keeper"
_STEP: Final = timedelta(minutes=5)
_SILENT: Final = 300.0
_DAY: Final = 288
"""Steps of a day."""
_LAST: Final = 10
"""The step at which the keeper wrote for the last time."""
_LOCAL: Final = {"env": "local"}
_NODE: Final = {"job": "node", "service": "node-exporter", "env": "local", "instance": "a:9100"}
_STACK: Final = {"job": "abops-stack", "env": "local", "instance": "a:9000"}
_WRITTEN: Final = 'max_over_time(node_textfile_mtime_seconds{file=~".+/logs.prom"}[1d])'
_LOGS_ARE_OFF: Final = (
    f'max by (env) (abops_stack_part_up) unless on (env) abops_stack_part_up{{service="{PART}"}}'
)
"""Where a supervisor tells what runs, a keeper that it does not know was not wanted."""

_RUNBOOK: Final = Runbook(
    meaning=(
        "`abops observability logs keep` writes how the log path is every half minute, into a file"
        " that the machine's exporter reads. It wrote within a day, and now it does not. Where the"
        " exporter itself is gone, or a local stack was started without logs, this says nothing."
    ),
    diagnosis=shell(
        "abops stack status                       # does it run, how often was it started?",
        "abops stack logs logs-keeper -n 50",
        "curl -s http://LOG_STORE/_cluster/health?pretty",
        "abops observability logs reconcile --check   # what went wrong meanwhile",
        "df -h",
    )
    + "\nA store that is away does not silence it (that is LogStoreRed). It runs and does not"
    " write: the disk of its file is full, or an hourly comparison has very much to send. It is"
    " started over and over: its log says why.",
    mitigation=shell(
        "abops stack restart logs-keeper",
        "abops observability logs reconcile       # sends what is missing, no line twice",
    )
    + "\nWas the log path taken down on purpose, where no supervisor tells? Silence this alert for"
    " a day: then it forgets. Meanwhile trust neither the board of logs nor its other alerts.",
)


def keeper_stopped(team: str) -> Alert:
    """Return the alert about the keeper of the log path."""
    return Alert(
        name="LogKeeperStopped",
        group=GROUP,
        severity="warning",
        expr=(
            f"time() - max by (env) ({_WRITTEN} and on (instance) node_textfile_scrape_error)"
            f" > {{threshold}} unless on (env) ({_LOGS_ARE_OFF})"
        ),
        threshold=_SILENT,
        unit="s",
        reason="It writes every 30 s; the hold outlasts a start of the store, which comes first.",
        hold=_STEP,
        step=_STEP,
        summary="The keeper of the log path has not written for {{ $value | humanizeDuration }}",
        impact=(
            "Lost lines, a full store and refused lines are told to nobody, and old logs are not"
            " deleted."
        ),
        labels=place(PART, "availability", team),
        board="logs",
        runbook=_RUNBOOK,
        cases=_cases(),
    )


def _fired(silent: str) -> Fired:
    return Fired(_LOCAL, f"The keeper of the log path has not written for {silent}")


def _written(values: str, file: str = "logs.prom") -> dict[str, str]:
    return labelled("node_textfile_mtime_seconds", values, _NODE | {"file": f"/textfile/{file}"})


def _exporter(until: int = 400, **labels: str) -> dict[str, str]:
    """Return what the machine's exporter says beside, until it is away."""
    values = f"{steady(0, until)} _x400"
    return labelled("node_textfile_scrape_error", values, _NODE | labels)


def _parts(*names: str, env: str = "local") -> dict[str, str]:
    """Return what a supervisor says: each of these parts, none of which runs."""
    series: dict[str, str] = {}
    for name in names:
        labels = _STACK | {"service": name, "env": env}
        series |= labelled("abops_stack_part_up", steady(0), labels)
    return series


def _cases() -> tuple[Case, ...]:
    at = 20 * _STEP
    begun = int(_LAST * _STEP.total_seconds())
    # It writes until `_LAST`; then the file is away, or stays as it is.
    removed = f"0+300x{_LAST} _x400"
    killed = f"0+300x{_LAST} {begun}x400"
    told = _fired("50m 0s")
    exporter = _exporter()
    return (
        *around(
            _SILENT,
            lambda value: _written(since(value, _STEP)) | exporter,
            lambda _value: _fired("5m 30s"),
            timing=Timing(hold=_STEP, step=_STEP),
        ),
        Case("stopped: its file is away", _written(removed) | exporter, at, (told,)),
        Case("killed: its file stays", _written(killed) | exporter, at, (told,)),
        Case(
            "another file is fresh",
            _written(killed) | _written(since(0, _STEP), "backup.prom") | exporter,
            at,
            (told,),
        ),
        Case(
            "remembered for a day",
            _written(removed) | exporter,
            (_LAST + _DAY - 3) * _STEP,
            (_fired("23h 45m 0s"),),
        ),
        Case("forgotten after a day", _written(removed) | exporter, (_LAST + _DAY + 3) * _STEP),
        Case(
            "the exporter is away, so nobody knows",
            _written(removed) | _exporter(until=_LAST),
            at,
        ),
        Case(
            "the exporter of another machine answers",
            _written(removed) | _exporter(until=_LAST) | _exporter(instance="b:9100"),
            at,
        ),
        Case(
            "a supervisor wants it",
            _written(removed) | exporter | _parts("api", PART),
            at,
            (told,),
        ),
        Case("a supervisor does not want it", _written(removed) | exporter | _parts("api"), at),
        Case(
            "the supervisor of another environment does not want it",
            _written(removed) | exporter | _parts("api", env="staging"),
            at,
            (told,),
        ),
        Case(
            "that of another environment wants one",
            _written(removed) | exporter | _parts("api") | _parts(PART, env="staging"),
            at,
        ),
    )
