"""Alerts about services of the kinds `celery` and `celery_beat`: whether work is done at all."""

from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, labelled, steady
from abops.observability.catalogue.celery_queues import queue_alerts
from abops.observability.catalogue.celery_tasks import task_alerts
from abops.observability.catalogue.commands import ask, errors_of, shell
from abops.observability.catalogue.place import Place, of_kind
from abops.observability.catalogue.wording import duration

GROUP, BOARD = "worker", "worker"
_MINUTE: Final = timedelta(minutes=1)
_LATER: Final = 30 * _MINUTE


def celery_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about worker and beat; none for the one that does not exist."""
    worker = of_kind(inventory.services, "celery")
    beat = of_kind(inventory.services, "celery_beat")
    return (
        *((_down(worker), *queue_alerts(worker), *task_alerts(worker)) if worker else ()),
        *((_beat(beat),) if beat else ()),
    )


def _down(where: Place) -> Alert:
    limit, hold = 1.0, _MINUTE
    return Alert(
        name="WorkerDown",
        group=GROUP,
        severity="critical",
        expr=(
            "(sum by (env, service) (celery_workers_active)"
            f' or 0 * sum by (env, service) (up{{job="analyticbot-{where.service}"}}))'
            " < {threshold}"
        ),
        threshold=limit,
        unit="processes",
        reason="With no process nothing is done; a minute lets a restart pass.",
        hold=hold,
        summary="{{ $labels.service }} has no process that could run a task",
        impact="No post is sent, no report is made; tasks wait in their queues.",
        labels=where.labels("pool", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The worker is gone, or its parent process lives without children. TargetVanished"
                " comes along in the first case."
            ),
            diagnosis=(
                shell("abops stack status", "abops stack logs worker -n 100")
                + ask("celery_workers_active or abops_stack_restarts_total")
                + "\nIt stops at its start: the last line says why, mostly the broker's address or"
                " a module that cannot be imported since the last deploy. Children that die at"
                " once: WorkerChildLost."
            ),
            mitigation=(
                shell("abops stack restart worker")
                + "\nNothing is lost meanwhile: unfinished tasks come again. Look at"
                " WorkerQueueDepth afterwards: the backlog is worked off oldest first."
            ),
        ),
        cases=_down_cases(where, limit, hold),
    )


def _down_cases(where: Place, limit: float, hold: timedelta) -> tuple[Case, ...]:
    served = {"env": "local", "service": where.service}
    instance = {**served, "job": f"analyticbot-{where.service}", "instance": "b"}
    fired = Fired(served, f"{where.service} has no process that could run a task")

    def scraped(job: str, value: float) -> dict[str, str]:
        return labelled("up", steady(value), {**instance, "job": job})

    return (
        *around(
            limit,
            lambda v: labelled("celery_workers_active", steady(v), instance),
            lambda _v: fired,
            below=True,
            timing=Timing(hold),
        ),
        Case("its process is gone", scraped(instance["job"], 0), _LATER, (fired,)),
        Case("another service is gone", scraped("analyticbot-bot", 0), _LATER),
        Case(
            "it works",
            scraped(instance["job"], 1) | labelled("celery_workers_active", steady(4), instance),
            _LATER,
        ),
    )


def _beat(where: Place) -> Alert:
    limit = 30.0
    ticked, interval = "celery_beat_last_tick_timestamp_seconds", "celery_beat_interval_seconds"
    return Alert(
        name="WorkerBeatNotTicking",
        group=GROUP,
        severity="critical",
        expr=(
            f"min by (env, service, schedule) (time() - {ticked} - 2 * {interval}) > {{threshold}}"
        ),
        threshold=limit,
        unit="s after two intervals",
        reason="Two ticks in a row did not happen; 30 s for a tick that is only slow.",
        summary=(
            "{{ $labels.service }} is {{ $value | humanizeDuration }} late with"
            " {{ $labels.schedule }}, after two missed ticks"
        ),
        impact="What is scheduled does not happen: posts stay pending, views are not counted.",
        labels=where.labels("beat", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Beat lives (or TargetVanished would fire), but has not sent this schedule's task"
                " for two intervals. Only a sending that worked counts, so a broker that is away"
                " looks the same."
            ),
            diagnosis=(
                "All schedules, or this one?\n\n"
                + ask("time() - celery_beat_last_tick_timestamp_seconds")
                + errors_of("beat")
                + shell("redis-cli -h HOST -p PORT ping")
                + "\nAll, and Redis does not answer: RedisDown. All, and Redis answers: beat hangs."
                " One: its entry in the schedule cannot be sent, the log says why."
            ),
            mitigation=(
                shell("abops stack restart beat")
                + "\nIt sends what is due at once. A schedule file that cannot be read: move"
                " `celerybeat-schedule` aside and restart; every schedule then runs once. Never run"
                " two beats: everything would be sent twice."
            ),
        ),
        cases=_beat_cases(where, limit, ticked, interval),
    )


def _beat_cases(where: Place, limit: float, ticked: str, interval: str) -> tuple[Case, ...]:
    every = 60
    labels = {"env": "local", "service": where.service, "schedule": "send-scheduled"}
    fired = {**labels, "job": f"analyticbot-{where.service}"}

    def late(value: float, instance: str = "a") -> dict[str, str]:
        """Return a beat whose last tick is always two intervals and `value` seconds ago."""
        own = {**fired, "instance": instance}
        age = 2 * every + value
        return labelled(ticked, f"{-age:g}+15x200", own) | labelled(interval, steady(every), own)

    return (
        *around(
            limit,
            late,
            lambda v: Fired(
                labels,
                f"{where.service} is {duration(v)} late with send-scheduled, after two missed"
                " ticks",
            ),
        ),
        Case("the one before has ended, another ticks", late(900) | late(-90, "b"), _LATER),
        Case("a crontab has no interval", labelled(ticked, steady(1), fired), _LATER),
    )
