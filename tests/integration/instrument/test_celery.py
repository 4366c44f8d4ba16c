import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.servers import Server, answers, free_port, running, wait_until
from support.telemetry import WORKLOAD_PYTHON, Collector, Scrape

FOLDER = Path(__file__).parent
CELERY = [WORKLOAD_PYTHON, "-m", "celery", "-A", "celery_probe"]
RUNTIME = "celery_task_runtime_seconds_count"
WAIT = "celery_task_queue_wait_seconds"


@pytest.fixture
def broker(redis: Server) -> str:
    """Return a database of its own, empty."""
    number = os.getpid() % 14 + 1
    address = f"redis://127.0.0.1:{redis.port}/{number}"
    _python(f"import redis; redis.Redis.from_url('{address}').flushdb()")
    return address


def _python(code: str) -> None:
    subprocess.run([WORKLOAD_PYTHON, "-c", code], check=True, timeout=60)


def send(broker: str, collector: Collector, name: str, *args: str, queue: str = "default") -> str:
    """Send a task as a web request would and return its trace id."""
    done = subprocess.run(
        [WORKLOAD_PYTHON, "celery_probe.py", f"probe.{name}", queue, *args],
        cwd=FOLDER,
        env={
            **os.environ,
            "PROBE_REDIS": broker,
            "PROBE_ROLE": "api",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()[-1]


@contextmanager
def started(
    command: list[str], role: str, broker: str, collector: Collector, folder: Path
) -> Iterator[Scrape]:
    port = free_port()
    with running(
        [*CELERY, *command],
        port=port,
        log=folder / f"{role}.log",
        ready=lambda: answers(f"http://127.0.0.1:{port}/health"),
        cwd=FOLDER,
        env={
            "PROBE_REDIS": broker,
            "PROBE_PORT": str(port),
            "PROBE_ROLE": role,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        },
    ):
        yield Scrape(port)


@contextmanager
def a_worker(broker: str, collector: Collector, folder: Path) -> Iterator[Scrape]:
    command = ["worker", "--concurrency=2", "-Q", "default,messages", "-l", "info"]
    with started(command, "worker", broker, collector, folder) as scrape:
        yield scrape


def test_every_way_a_task_can_end_is_counted_also_a_lost_child(
    broker: str, collector: Collector, tmp_path: Path
) -> None:
    with a_worker(broker, collector, tmp_path) as scrape:
        for name in ("fail", "retry_once", "vanish", "hang"):
            send(broker, collector, name)
        send(broker, collector, "add", "1", "2", queue="messages")
        expected = {
            '{state="success",task="probe.add"}': 1.0,
            '{state="failure",task="probe.fail"}': 1.0,
            '{state="retry",task="probe.retry_once"}': 1.0,
            '{state="success",task="probe.retry_once"}': 1.0,
            '{state="lost",task="probe.vanish"}': 1.0,
            '{state="timeout",task="probe.hang"}': 1.0,
        }
        wait_until(lambda: len(scrape.samples(RUNTIME)) == len(expected), what="all outcomes")
        assert expected == scrape.samples(RUNTIME)
        assert {"": 0.0} == scrape.samples("celery_pool_busy")
        wait_until(lambda: scrape.samples("celery_workers_active") == {"": 2.0}, what="2 children")
        waits = scrape.samples(f"{WAIT}_count")
        assert {'{queue="default"}': 5.0, '{queue="messages"}': 1.0} == waits


def test_the_wait_in_the_queue_is_measured(
    broker: str, collector: Collector, tmp_path: Path
) -> None:
    send(broker, collector, "add", "1", "2", queue="messages")
    sent = time.monotonic()
    with a_worker(broker, collector, tmp_path) as scrape:
        wait_until(lambda: bool(scrape.samples(f"{WAIT}_count")), what="a task")
        waited = scrape.samples(f"{WAIT}_sum")['{queue="messages"}']
        assert 0.5 < waited < time.monotonic() - sent + 2


def test_a_task_belongs_to_the_trace_of_its_sender(
    broker: str, collector: Collector, tmp_path: Path
) -> None:
    with a_worker(broker, collector, tmp_path):
        trace_id = send(broker, collector, "add", "1", "2", queue="messages")
        failed_id = send(broker, collector, "fail")
        wait_until(
            lambda: (
                len(collector.named("process probe.fail")) == 1
                and len(collector.named("process probe.add")) == 1
            ),
            what="the spans of both tasks",
        )
    by_name = {s.name: s for s in collector.spans if s.trace_id.hex() == trace_id}
    request, published, processed = (
        by_name[name] for name in ("POST /api/v1/posts", "publish messages", "process probe.add")
    )
    assert request.span_id == published.parent_span_id
    assert published.span_id == processed.parent_span_id
    assert ("SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER") == tuple(
        span.DESCRIPTOR.enum_types_by_name["SpanKind"].values_by_number[span.kind].name
        for span in (published, processed)
    )
    (failed,) = collector.named("process probe.fail")
    assert failed_id == failed.trace_id.hex()
    assert 2 == failed.status.code  # STATUS_CODE_ERROR
    assert {"analyticbot-api", "analyticbot-worker"} == collector.services
    log = (tmp_path / "worker.log").read_text()
    assert trace_id in log


def test_beat_tells_its_last_tick_and_its_interval(
    broker: str, collector: Collector, tmp_path: Path
) -> None:
    schedule = ["--schedule", str(tmp_path / "schedule")]
    last = "celery_beat_last_tick_timestamp_seconds"
    key = '{schedule="every_second"}'
    with started(["beat", *schedule], "beat", broker, collector, tmp_path) as scrape:
        assert {key: 1.0} == scrape.samples("celery_beat_interval_seconds")
        first = scrape.samples(last)[key]
        wait_until(lambda: scrape.samples(last)[key] >= first + 1, what="a second tick")
        wait_until(lambda: bool(collector.named("tick every_second")), what="the tick's span")
    tick = collector.named("tick every_second")[0]
    published = collector.named("publish default")[0]
    assert tick.span_id == published.parent_span_id


def test_a_failed_task_of_an_unsampled_trace_is_sent_late(
    broker: str, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROBE_RATIO", "0")
    with a_worker(broker, collector, tmp_path) as scrape:
        send(broker, collector, "add", "1", "2")
        trace_id = send(broker, collector, "fail")
        wait_until(lambda: len(scrape.samples(RUNTIME)) == 2, what="both tasks")
        wait_until(lambda: bool(collector.named("process probe.fail")), what="the late span")
    (span,) = collector.spans
    assert trace_id == span.trace_id.hex()
    assert "abops.late" in {attribute.key for attribute in span.attributes}
