"""What the fault switches do to a worker's parent. Loaded only with WORKLOAD_FAULTS=1."""

from typing import Any

from celery import signals

from apps.fault_process import follow_in_thread
from apps.faults import switches
from infra.celery.schedule import QUEUES

LOOK_EVERY_S = 1.0


class QueueStall:
    """Stops taking from queues while the switch is on. Runs in the worker's own event loop."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._stalled: tuple[str, ...] = ()

    def follow(self) -> None:
        """Stop or go on, as the switch says."""
        fault = switches().active("queue_stall")
        if fault is None:
            wanted: tuple[str, ...] = ()
        else:
            queue = fault.text("queue", "all")
            wanted = (queue,) if queue in QUEUES else QUEUES
        if wanted == self._stalled or self._consumer.task_consumer is None:
            return  # without a consumer the broker is away: nothing is taken anyway
        for queue in self._stalled:
            self._consumer.add_task_queue(queue)
        for queue in wanted:
            self._consumer.cancel_task_queue(queue)
        self._stalled = wanted


@signals.worker_ready.connect  # type: ignore[untyped-decorator] # Celery has no types
def _follow(sender: Any, **_signal: object) -> None:
    sender.timer.call_repeatedly(LOOK_EVERY_S, QueueStall(sender).follow)
    follow_in_thread("worker")
