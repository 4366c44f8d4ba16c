"""The Celery application: `celery -A infra.celery.celery_app worker`, and the same with `beat`.

Redis has no priorities worth the name: its transport would split a queue into several lists
and the length of `messages` would be the length of four keys. The five queues are the
priorities; each is exactly one list. The `priority` that the schedule carries is kept for
brokers that know it.
"""

import os
from typing import Any, cast

from celery import Celery, signals
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.entity import Exchange, Queue

from abops_instrument import setup
from abops_instrument.celery import instrument_celery
from apps import VERSION
from apps.settings import settings
from infra.celery.schedule import QUEUES, ROUTES, beat_schedule

WORKER_PORT, BEAT_PORT = 9540, 9542
HARD_LIMIT_S, SOFT_LIMIT_S = 600, 540
TASKS_PER_CHILD = 1000


class PersistentConnection(Connection):
    """Asks a lost broker again every two seconds at most; Celery's own waits grow to thirty."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Connect, however long it takes."""
        kwargs = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2, **kwargs}
        connect: Any = super().ensure_connection
        return connect(*args, **kwargs)


class PersistentAMQP(AMQP):
    """Celery's queues over connections that come back."""

    Connection = PersistentConnection


def _queue(name: str) -> Any:
    # An exchange of its own: through a shared one every queue would get every message.
    queue, exchange = cast("tuple[Any, Any]", (Queue, Exchange))
    return queue(name, exchange(name), routing_key=name)


def make_app() -> Celery:
    """Return the configured application."""
    celery = Celery(
        "analyticbot",
        broker=settings().broker_url,
        backend=settings().result_backend,
        amqp=PersistentAMQP,
        include=["apps.bot.tasks", "infra.celery.tasks"],
    )
    celery.conf.update(
        task_queues=[_queue(name) for name in QUEUES],
        task_default_queue="default",
        task_routes=dict(ROUTES),
        task_create_missing_queues=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_time_limit=HARD_LIMIT_S,
        task_soft_time_limit=SOFT_LIMIT_S,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        result_expires=3600,
        timezone="UTC",
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=TASKS_PER_CHILD,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2,
        broker_transport_options={
            "priority_steps": [0],
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            # A producer fails at once; what must not give up asks by ensure_connection, above.
            "max_retries": 0,
            # A task that its worker took to the grave comes back after this; above the limit.
            "visibility_timeout": HARD_LIMIT_S + 300,
        },
        redis_socket_connect_timeout=2,
        redis_socket_timeout=5,
        beat_scheduler="infra.celery.scheduler:SwitchedScheduler",
        beat_schedule_filename=os.environ.get("BEAT_SCHEDULE_FILE", "celerybeat-schedule"),
        beat_schedule=beat_schedule(os.environ.get("BEAT_INTERVALS", "")),
        beat_max_loop_interval=5,
    )
    port = settings().metrics_port
    instrument_celery(
        celery,
        worker_port=port or WORKER_PORT,
        beat_port=port or BEAT_PORT,
        host=settings().metrics_host,
    )
    return celery


@signals.celeryd_init.connect  # type: ignore[untyped-decorator] # Celery has no types
def _worker_starts(**_signal: object) -> None:
    setup(
        "analyticbot-worker",
        version=VERSION,
        environment=settings().environment,
        dataset="worker.tasks",
    )
    import infra.celery.tally  # noqa: PLC0415 - opens its pipe at worker_init

    if settings().faults_enabled:
        import infra.celery.fault_effects  # noqa: F401, PLC0415 - never in production


@signals.beat_init.connect  # type: ignore[untyped-decorator] # Celery has no types
def _beat_starts(**_signal: object) -> None:
    setup(
        "analyticbot-beat",
        version=VERSION,
        environment=settings().environment,
        dataset="beat.ticks",
    )
    if settings().faults_enabled:
        from apps.fault_process import follow_in_thread  # noqa: PLC0415 - never in production

        follow_in_thread("beat")


app = make_app()
