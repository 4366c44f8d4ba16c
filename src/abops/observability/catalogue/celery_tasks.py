"""Alerts about tasks: how they end, and whether they end at all."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, Timing, around, burst, labelled, steady
from abops.observability.catalogue.commands import ask, errors_of, shell
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import duration, percent

GROUP, BOARD = "worker", "worker"
_MINUTE: Final = timedelta(minutes=1)
_SERVED: Final = {"env": "local", "service": "worker"}
_INSTANCE: Final = {**_SERVED, "job": "analyticbot-worker", "instance": "b"}
_TASKS: Final = "service:celery_tasks:rate5m"
_ENOUGH: Final = 0.05
"""Tasks a second, fifteen in five minutes: of fewer, a share says little."""
_LATER: Final = 30 * _MINUTE


def task_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about the tasks of the worker at `where`."""
    return (_failures(where), _retries(where), _runtime(where), _lost(where))


def _share(metric: str, value: float, tasks: float = 1) -> dict[str, str]:
    return labelled(metric, steady(value), _SERVED) | labelled(_TASKS, steady(tasks), _SERVED)


def _share_cases(metric: str, fired: Fired) -> tuple[Case, ...]:
    """Return the cases of `and tasks > _ENOUGH`; `fired` is what a share of one half raises."""
    return (
        Case("just enough tasks", _share(metric, 0.5, 1.1 * _ENOUGH), _LATER, (fired,)),
        Case("hardly any task", _share(metric, 0.5, 0.9 * _ENOUGH), _LATER),
        Case("tasks are unknown", labelled(metric, steady(0.5), _SERVED), _LATER),
    )


def _failures(where: Place) -> Alert:
    metric, limit, hold = "service:celery_task_failures:ratio_rate5m", 0.05, 5 * _MINUTE

    def fired(value: float) -> Fired:
        return Fired(_SERVED, f"worker fails at {percent(value)} of its tasks")

    return Alert(
        name="WorkerTaskFailures",
        group=GROUP,
        severity="warning",
        expr=f"{metric} > {{threshold}} and {_TASKS} > {_ENOUGH}",
        threshold=limit,
        unit="ratio",
        reason="Five times what the objective of 99 % allows.",
        hold=hold,
        summary="{{ $labels.service }} fails at {{ $value | humanizePercentage }} of its tasks",
        impact="Posts, reports or clean-ups do not happen. Posts are tried again, reports are not.",
        labels=where.labels("tasks", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "More than 5 % of the tasks of five minutes failed, ran into their time limit, were"
                " rejected, or lost their process."
            ),
            diagnosis=(
                "Which task, and how?\n\n"
                + ask(
                    "sum by (task, state)"
                    ' (service_task_state:celery_tasks:rate5m{state!="success"}) > 0'
                )
                + "\nWhy?\n\n"
                + errors_of("worker")
                + "\n`timeout`: WorkerRuntimeNearLimit. `lost`: WorkerChildLost. All tasks: a store"
                " (PostgresDown, RedisDown). One since the last deploy: a bug."
            ),
            mitigation=(
                "Mend the store, or roll the deploy back. Reports that failed are made anew when"
                " somebody asks for them; scheduled posts are found again by beat's next tick."
            ),
        ),
        cases=(
            *around(limit, lambda v: _share(metric, v), fired, timing=Timing(hold)),
            *_share_cases(metric, fired(0.5)),
        ),
    )


def _retries(where: Place) -> Alert:
    metric, limit, hold = "service:celery_task_retries:ratio_rate5m", 0.3, 5 * _MINUTE

    def fired(value: float) -> Fired:
        return Fired(_SERVED, f"{percent(value)} of the tasks of worker end in another try")

    return Alert(
        name="WorkerRetryStorm",
        group=GROUP,
        severity="warning",
        expr=f"{metric} > {{threshold}} and {_TASKS} > {_ENOUGH}",
        threshold=limit,
        unit="ratio",
        reason="With three tries a task, a third means that most tasks need all of them.",
        hold=hold,
        summary=(
            "{{ $value | humanizePercentage }} of the tasks of {{ $labels.service }} end in"
            " another try"
        ),
        impact="The pool works for nothing, queues grow, and what it asks is asked even more.",
        labels=where.labels("tasks", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Most tasks do not get through and are put back to be tried again. What they need"
                " is away, and the tries keep it busy when it returns."
            ),
            diagnosis=(
                "Which task, and what does it call?\n\n"
                + ask('sum by (task) (service_task_state:celery_tasks:rate5m{state="retry"})')
                + ask(
                    "sum by (code) (service_method_code:telegram_api_requests:rate5m"
                    '{service="worker"})'
                )
                + errors_of("worker")
                + "\n`429`: TelegramRateLimited. `network`: TelegramApiDown. Database errors:"
                " PostgresDown, PostgresPoolTimeouts."
            ),
            mitigation=(
                "Mend what the tasks call. It cannot be mended soon: stop the worker, tasks wait"
                " in their queues meanwhile and nothing is lost.\n\n"
                + shell("abops stack stop worker", "abops stack start worker")
            ),
        ),
        cases=(
            *around(limit, lambda v: _share(metric, v), fired, timing=Timing(hold)),
            *_share_cases(metric, fired(0.5)),
        ),
    )


def _runtime(where: Place) -> Alert:
    metric, limit = "service_task:celery_task_runtime_seconds:p99", 430.0
    labels = {**_SERVED, "task": "infra.celery.tasks.process_analytics"}
    return Alert(
        name="WorkerRuntimeNearLimit",
        group=GROUP,
        severity="warning",
        expr=f"{metric} > {{threshold}}",
        threshold=limit,
        unit="s",
        reason="Four fifths of the 540 s after which a task is told to stop.",
        summary="{{ $labels.task }} runs for {{ $value | humanizeDuration }}, its limit is 9m",
        impact="At 540 s the task is stopped, at 600 s its process is killed: its work is lost.",
        labels=where.labels("tasks", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The slowest hundredth of this task's runs is near the time limit. It grows with"
                " the data mostly, and crosses the limit one day."
            ),
            diagnosis=(
                "Did it grow slowly or jump?\n\n"
                + ask("service_task:celery_task_runtime_seconds:p99 > 60")
                + "\nThe board worker shows the weeks before. A jump: a slow store"
                " (PostgresQueryRegression, PostgresBlockedQueries), or Telegram that makes it"
                " wait (TelegramRetryAfterHigh). What does it do right now?\n\n"
                + shell(
                    'psql -h HOST -p PORT -U READER analytic_bot -c "SELECT pid,',
                    "  now() - query_start, state, left(query, 80) FROM pg_stat_activity",
                    "  WHERE state <> 'idle' ORDER BY 2 DESC\"",
                )
            ),
            mitigation=(
                "A blocked query: end its blocker. Growth: cut the task into smaller ones (a task"
                " for each channel). Raising the limits only moves the day, and a hung task keeps"
                " its process for longer."
            ),
        ),
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v), labels),
            lambda v: Fired(
                labels,
                f"infra.celery.tasks.process_analytics runs for {duration(v)}, its limit is 9m",
            ),
        ),
    )


def _lost(where: Place) -> Alert:
    ended, by = "celery_task_runtime_seconds_count", "sum by (env, service, task)"
    born = (
        f'{ended}{{state="lost"}} unless {ended} offset 15m'
        " and on (env, service, instance) celery_workers_active offset 15m"
    )
    return Alert(
        name="WorkerChildLost",
        group=GROUP,
        severity="warning",
        # The first loss of a task makes a series that begins with 1, which `increase` cannot see.
        expr=(
            f'{by} (increase({ended}{{state="lost"}}[15m])) > {{threshold}}'
            f" or {by} ({born}) > {{threshold}}"
        ),
        threshold=0,
        unit="processes in 15 minutes",
        reason="A process of the pool never ends within a task, unless it is killed or crashes.",
        summary="A process of {{ $labels.service }} died within {{ $labels.task }}",
        impact="The task comes again and may kill the next process; meanwhile the pool is smaller.",
        labels=where.labels("tasks", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "A child of the worker ended while it ran this task: killed for its memory, a"
                " crash in native code, or `os._exit`."
            ),
            diagnosis=(
                "How did it end? `signal 9` is mostly memory, `signal 11` a crash.\n\n"
                + shell("abops stack logs worker -n 500 | grep -i 'exited premat\\|WorkerLost'")
                + ask("service:memory_bytes:max / 1048576")
                + "\nHostOomKill or KubeOOMKilled at the same time: memory. In Kubernetes the"
                " container itself is killed when it passes its limit: `kubectl describe pod`."
            ),
            mitigation=(
                "Memory: raise the limit for now, and have the task read in portions. A task that"
                " kills each process it meets: take it out of its queue, as WorkerQueueStuck says."
                " A crash since the last deploy: roll it back."
            ),
        ),
        cases=_lost_cases(ended),
    )


def _lost_cases(ended: str) -> tuple[Case, ...]:
    task = {"task": "bot.tasks.send_scheduled_message"}
    fired = Fired(
        {**_SERVED, **task}, "A process of worker died within bot.tasks.send_scheduled_message"
    )
    active = labelled("celery_workers_active", steady(4), _INSTANCE)
    first = int(20 * _MINUTE / STEP)

    def ends(state: str, values: str) -> dict[str, str]:
        return active | labelled(ended, values, {**_INSTANCE, **task, "state": state})

    appears = f"_x{first} 1x200"
    return (
        *burst(ended, {**_INSTANCE, **task, "state": "lost"}, 15 * _MINUTE, fired, active),
        Case("the first one ever", ends("lost", appears), 21 * _MINUTE, (fired,)),
        Case("the first one is forgotten", ends("lost", appears), 37 * _MINUTE),
        Case("a first failure", ends("failure", appears), 21 * _MINUTE),
        Case("failures", ends("failure", "0+1x200"), _LATER),
        Case("Prometheus has just begun to look", ends("lost", "7x200"), 5 * _MINUTE),
    )
