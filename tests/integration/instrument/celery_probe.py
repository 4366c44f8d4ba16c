"""A Celery application with one task per outcome; run by the workload's interpreter."""

import os
import signal
import sys
import time

from celery import Celery, Task

from abops_instrument import setup
from abops_instrument.celery import instrument_celery
from abops_instrument.work import working

ROLE = os.environ.get("PROBE_ROLE", "worker")

setup(
    f"analyticbot-{ROLE}",
    version="0",
    environment="test",
    sample_ratio=float(os.environ.get("PROBE_RATIO", "1")),
    dataset="worker.tasks",
)
app = Celery("probe", broker=os.environ["PROBE_REDIS"], backend=os.environ["PROBE_REDIS"])
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 1
app.conf.task_default_queue = "default"
app.conf.broker_connection_retry_on_startup = True
app.conf.beat_schedule = {"every_second": {"task": "probe.add", "schedule": 1.0, "args": (1, 1)}}
instrument_celery(
    app,
    worker_port=int(os.environ.get("PROBE_PORT", "0")),
    beat_port=int(os.environ.get("PROBE_PORT", "0")),
)


@app.task(name="probe.add")
def add(left: int, right: int) -> int:
    return left + right


@app.task(name="probe.fail")
def fail() -> None:
    raise ValueError("no")


@app.task(name="probe.retry_once", bind=True, max_retries=1)
def retry_once(self: Task) -> str:
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return "second time"


@app.task(name="probe.vanish")
def vanish() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="probe.hang", time_limit=1)
def hang() -> None:
    time.sleep(60)


def send(name: str, queue: str, *args: int) -> None:
    """Send a task from within a piece of work, as a request would."""
    with working("POST /api/v1/posts") as work:
        app.send_task(name, args=args, queue=queue)
        sys.stdout.write(f"{work.trace_id:032x}\n")


if __name__ == "__main__":
    send(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
