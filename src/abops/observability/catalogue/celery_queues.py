"""Alerts about queues: work that waits. A worker that lives and takes nothing looks healthy."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, Timing, around, labelled, steady
from abops.observability.catalogue.commands import ask, errors_of, shell
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount, duration

GROUP, BOARD = "worker", "worker"
_MINUTE: Final = timedelta(minutes=1)
_LENGTH: Final = "celery_queue_length"
_OLDEST: Final = "celery_queue_oldest_seconds"
_QUEUE: Final = {"env": "local", "queue": "messages"}
_TOLD: Final = {"job": "abops-exporter", "service": "business-exporter", "instance": "a"}
"""Queues are measured by the exporter, not by the worker: they grow while it is gone, too."""
_LATER: Final = 30 * _MINUTE
_POOL: Final = 4


def queue_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about the queues of the worker at `where`."""
    return (_stuck(where), _depth(where), _growing(where), _wait(where), _overdue(where))


def _told(metric: str, values: str, queue: str = "messages") -> dict[str, str]:
    return labelled(metric, values, {**_TOLD, "env": "local", "queue": queue})


def _stuck(where: Place) -> Alert:
    taken = "celery_task_queue_wait_seconds_count"
    return Alert(
        name="WorkerQueueStuck",
        group=GROUP,
        severity="critical",
        expr=(
            f"max by (env, queue) ({_LENGTH}) >= {{threshold}} unless on (env, queue)"
            f" sum by (env, queue) (rate({taken}[1m])) > 0"
        ),
        threshold=1,
        unit="waiting tasks",
        reason="A task may run for 600 s: after that at least one process must have been free.",
        hold=10 * _MINUTE,
        summary=(
            "{{ $value | humanize }} tasks wait in {{ $labels.queue }}, and none has been taken"
            " for 10 minutes"
        ),
        impact="Nothing of this queue happens: of `messages`, no post is sent.",
        labels=where.own_labels("queue", "availability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Tasks have waited in this queue for ten minutes and no worker has taken one. Other"
                " queues may run: then no worker listens to this one."
            ),
            diagnosis=(
                "Is the worker there, is it busy, what did it last say?\n\n"
                + ask("celery_workers_active or celery_pool_busy")
                + errors_of("worker")
                + "\nWhat waits?\n\n"
                + shell(
                    "redis-cli -h HOST -p PORT llen QUEUE",
                    "redis-cli -h HOST -p PORT lindex QUEUE -1 | jq .headers.task",
                )
                + "\nAll processes busy: tasks that hang (WorkerRuntimeNearLimit). None busy: the"
                " worker has lost its broker (RedisDown), or listens to other queues (`-Q`)."
            ),
            mitigation=(
                "Restart the worker. Tasks in work are not lost: they are acknowledged late, and"
                " come again.\n\n"
                + shell("abops stack restart worker")
                + "\nThe same task hangs it again: it is the one at the end of the list; take it"
                " out with `redis-cli rpop QUEUE` and keep what that prints. Never `del` a queue."
            ),
        ),
        cases=_stuck_cases(taken),
    )


def _stuck_cases(taken: str) -> tuple[Case, ...]:
    waiting = _told(_LENGTH, steady(5))
    stops = int(10 * _MINUTE / STEP)

    def takes(values: str, queue: str = "messages") -> dict[str, str]:
        worker = {"job": "analyticbot-worker", "service": "worker", "instance": "b"}
        return labelled(taken, values, {**worker, "env": "local", "queue": queue})

    def fired(count: float) -> Fired:
        return Fired(
            _QUEUE,
            f"{amount(count)} tasks wait in messages, and none has been taken for 10 minutes",
        )

    until = waiting | takes(f"0+3x{stops} {3 * stops}x400")
    return (
        *around(1, lambda v: _told(_LENGTH, steady(v)), fired, timing=Timing(10 * _MINUTE)),
        Case("tasks are taken", waiting | takes("0+1x400"), _LATER),
        Case(
            "tasks of another queue are taken",
            waiting | takes("0+1x400", "default"),
            _LATER,
            (fired(5),),
        ),
        Case("taking ended 11 minutes ago", until, 21.5 * _MINUTE, (fired(5),)),
        Case("taking ended 10 minutes ago", until, 20.5 * _MINUTE),
    )


def _depth(where: Place) -> Alert:
    limit, hold = 50.0, 10 * _MINUTE
    active = labelled(
        "celery_workers_active",
        steady(_POOL),
        {"env": "local", "service": "worker", "job": "analyticbot-worker", "instance": "b"},
    )
    return Alert(
        name="WorkerQueueDepth",
        group=GROUP,
        severity="warning",
        expr=(
            f"max by (env, queue) ({_LENGTH})"
            " / on (env) group_left () (sum by (env) (celery_workers_active) > 0) > {threshold}"
        ),
        threshold=limit,
        unit="tasks per process",
        reason="At half a second a task, a process needs 25 s for fifty; the pool's size counts.",
        hold=hold,
        summary="{{ $labels.queue }} holds {{ $value | humanize }} tasks per process of the pool",
        impact="New tasks of this queue wait behind all others.",
        labels=where.own_labels("queue", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "For ten minutes more tasks have waited than fifty for each process of the pool:"
                " more is sent than the pool can do."
            ),
            diagnosis=(
                "More tasks than usual, or slower ones?\n\n"
                + ask(
                    "sum by (task) (service_task_state:celery_tasks:rate5m)"
                    " or service_task:celery_task_runtime_seconds:p99"
                )
                + "\nSlow: the store or Telegram (PostgresBlockedQueries, TelegramRateLimited)."
                " Many of one kind: see who sends them; `retry` in the states is WorkerRetryStorm."
            ),
            mitigation=(
                "Add a worker pod, or a second worker for this queue only:\n\n"
                + shell("celery -A infra.celery.celery_app worker --concurrency=4 -Q QUEUE")
                + "\nFor `messages` Telegram's 30 a second are the limit: more workers do not help."
            ),
        ),
        cases=(
            *around(
                limit,
                lambda v: active | _told(_LENGTH, steady(v * _POOL)),
                lambda v: Fired(
                    _QUEUE, f"messages holds {amount(v)} tasks per process of the pool"
                ),
                timing=Timing(hold),
            ),
            Case("there is no worker", _told(_LENGTH, steady(9000)), _LATER),
        ),
    )


def _growing(where: Place) -> Alert:
    limit, hold = 60.0, 5 * _MINUTE
    # Shrinks for 20 minutes, then grows more slowly: the slope of 15 minutes turns 10 minutes
    # later, that of 30 minutes 20 minutes later, that of 7.5 minutes 5 minutes later.
    turns = 80
    bend = _told(_LENGTH, f"1000-10x{turns} 204+4x200") | _told(_OLDEST, steady(300))
    turned = turns * STEP

    def grows(oldest: float, length: str = "10+2x400") -> dict[str, str]:
        return _told(_LENGTH, length) | _told(_OLDEST, steady(oldest))

    fired = Fired(_QUEUE, "messages grows, and its first task has waited for more than a minute")
    return Alert(
        name="WorkerQueueGrowing",
        group=GROUP,
        severity="warning",
        expr=(
            f"max by (env, queue) (deriv({_LENGTH}[15m])) > 0 and on (env, queue)"
            f" max by (env, queue) ({_OLDEST}) > {{threshold}}"
        ),
        threshold=limit,
        unit="s of waiting",
        reason="A minute is the objective of punctual posts; a queue that drains does not alarm.",
        hold=hold,
        summary="{{ $labels.queue }} grows, and its first task has waited for more than a minute",
        impact="Each new task waits longer than the one before; posts are late.",
        labels=where.own_labels("queue", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Over fifteen minutes more was sent to this queue than the worker has taken, and"
                " its first task is older than a minute. It does not catch up by itself."
            ),
            diagnosis=(
                "How fast does it grow, and is the pool full?\n\n"
                + ask("deriv(celery_queue_length[15m]) * 60 or celery_pool_busy")
                + "\nPool full: tasks are too slow or too many, see WorkerQueueDepth. Pool not"
                " full: the worker takes nothing from this queue, see WorkerQueueStuck."
            ),
            mitigation=(
                "Add a worker pod before the queue is deep. One kind of task that floods: stop its"
                " sender, or beat's schedule of it, until the rest is done."
            ),
        ),
        cases=(
            *around(limit, grows, lambda _v: fired, timing=Timing(hold, STEP)),
            Case("it shrinks", grows(300, "900-2x400"), _LATER),
            Case("nobody knows how old", _told(_LENGTH, "10+2x400"), _LATER),
            Case("it grows again", bend, turned + 16 * _MINUTE, (fired,)),
            Case("it has just begun to grow", bend, turned + 13 * _MINUTE),
        ),
    )


def _wait(where: Place) -> Alert:
    metric, limit, hold = "queue:celery_task_queue_wait_seconds:p95", 60.0, 5 * _MINUTE
    labels = {**_QUEUE, "service": where.service}
    return Alert(
        name="WorkerQueueWait",
        group=GROUP,
        severity="warning",
        expr=f"{metric} > {{threshold}}",
        threshold=limit,
        unit="s",
        reason="The objective: 99 of 100 tasks start within a minute. An edge of the buckets.",
        hold=hold,
        summary=(
            "Tasks of {{ $labels.queue }} wait {{ $value | humanizeDuration }} before they start"
        ),
        impact="Posts and reports are late by that time.",
        labels=where.labels("queue", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "One task in twenty of this queue started more than a minute after it was due."
            ),
            diagnosis=(
                ask("celery_queue_length or celery_queue_oldest_seconds or celery_pool_busy")
                + "\nA deep queue: WorkerQueueDepth. An empty one: a burst that is over, mostly"
                " after an outage of worker or broker. Does one long task keep the pool?\n\n"
                + ask("service_task:celery_task_runtime_seconds:p99")
            ),
            mitigation=(
                "Nothing after an outage: it ends within five minutes of the last late task. Long"
                " tasks in the way of short ones: give them a worker of their own (`-Q analytics`),"
                " and the rest of the pool to `messages`."
            ),
        ),
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v), labels),
            lambda v: Fired(labels, f"Tasks of messages wait {duration(v)} before they start"),
            timing=Timing(hold),
        ),
    )


def _overdue(where: Place) -> Alert:
    metric, limit, hold = "analyticbot_overdue_posts", 1.0, 5 * _MINUTE
    return Alert(
        name="WorkerPostsOverdue",
        group=GROUP,
        severity="critical",
        expr=f"max by (env) ({metric}) >= {{threshold}}",
        threshold=limit,
        unit="posts",
        reason="Beat looks every minute: five looks in a row have not sent what was due.",
        hold=hold,
        summary="{{ $value | humanize }} posts are overdue, and it has lasted for 5 minutes",
        impact="Customers' posts are not in their channels at the time they were promised.",
        labels=where.own_labels("posts", "work"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Posts whose time has passed by more than a minute are still pending. Whatever the"
                " cause, this is what customers see."
            ),
            diagnosis=(
                "From the schedule to Telegram, in this order:\n\n"
                "1. Does beat tick?\n\n"
                + ask("time() - celery_beat_last_tick_timestamp_seconds")
                + "2. Are tasks taken?\n\n"
                + ask('celery_queue_length{queue="messages"} or celery_workers_active')
                + "3. Do they succeed?\n\n"
                + ask("sum by (task, state) (service_task_state:celery_tasks:rate5m)")
                + "4. Does Telegram take them?\n\n"
                + ask(
                    "sum by (code) (service_method_code:telegram_api_requests:rate5m"
                    '{service="worker"})'
                )
            ),
            mitigation=(
                "The first question with a bad answer names the part:\n\n"
                + shell("abops stack restart beat      # 1", "abops stack restart worker    # 2")
                + "\n3: WorkerTaskFailures. 4: TelegramApiDown, TelegramRateLimited,"
                " BotUnauthorized. Overdue posts are sent by themselves once the way is free; do"
                " not send them by hand, or customers see them twice."
            ),
        ),
        cases=around(
            limit,
            lambda v: labelled(metric, steady(v), {**_TOLD, "env": "local"}),
            lambda v: Fired(
                {"env": "local"}, f"{amount(v)} posts are overdue, and it has lasted for 5 minutes"
            ),
            timing=Timing(hold),
        ),
    )
