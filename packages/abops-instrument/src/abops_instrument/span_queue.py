"""Finished spans on their way to the collector; the work that made them never waits.

At most 2,048 spans wait. When the collector is missing the queue fills, further spans are
dropped and counted, and nothing is logged per span. The sending thread starts with the first
span of a process, not with the queue: threads do not survive a fork, and the children of a
Celery worker are forked long after setup.
"""

import os
import threading
import weakref
from collections import deque
from time import monotonic

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument.series import families

QUEUE_LENGTH = 2_048
BATCH_LENGTH = 512
SEND_EVERY_S = 1.0


class SpanQueue(SpanProcessor):
    """Sends sampled spans in batches from a thread of its own."""

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        registry: CollectorRegistry = REGISTRY,
        length: int = QUEUE_LENGTH,
    ) -> None:
        self._exporter = exporter
        self._length = length
        self._waiting: deque[ReadableSpan] = deque()
        spans = families(registry).counter(
            "abops_instrument_spans_total", "Spans by what became of them.", ["result"]
        )
        self._sent, self._failed, self._dropped = (
            spans.labels(result) for result in ("sent", "failed", "dropped")
        )
        self._stopped = False
        self._start_afresh()
        _at_fork(self)

    def _start_afresh(self) -> None:
        """Forget thread and locks: this is a new process."""
        self._pid = 0  # no thread yet
        self._wake = threading.Event()
        self._sending = threading.Lock()
        self._starting = threading.Lock()
        self._waiting.clear()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a finished span."""
        context = span.context
        if context is None or not context.trace_flags.sampled or self._stopped:
            return
        waiting = self._waiting
        if len(waiting) >= self._length:
            self._dropped.inc()
            return
        waiting.append(span)
        if self._pid == 0:
            self._start_thread()
        if len(waiting) == BATCH_LENGTH:
            self._wake.set()

    def _start_thread(self) -> None:
        with self._starting:
            if self._pid == 0:
                self._pid = os.getpid()
                threading.Thread(target=self._run, name="abops-spans", daemon=True).start()

    def _run(self) -> None:
        wake = self._wake
        while not self._stopped and wake is self._wake:
            wake.wait(SEND_EVERY_S)
            wake.clear()
            self._send_all()

    def _send_all(self) -> None:
        with self._sending:
            while self._waiting:
                count = min(len(self._waiting), BATCH_LENGTH)
                batch = [self._waiting.popleft() for _ in range(count)]
                try:
                    sent = self._exporter.export(batch) is SpanExportResult.SUCCESS
                except Exception:  # noqa: BLE001 - a broken exporter must not end the thread
                    sent = False
                (self._sent if sent else self._failed).inc(count)

    def force_flush(self, timeout_millis: int = 2_000) -> bool:
        """Send what waits; say if all was sent in time."""
        sender = threading.Thread(target=self._send_all, daemon=True)
        sender.start()
        sender.join(timeout_millis / 1000)
        return not sender.is_alive()

    def shutdown(self) -> None:
        """Send what waits, two seconds at most, and stop."""
        if self._stopped:
            return
        deadline = monotonic() + 2
        self.force_flush()
        self._stopped = True
        self._wake.set()
        if monotonic() < deadline:
            self._exporter.shutdown()


def _at_fork(queue: SpanQueue) -> None:
    reference = weakref.ref(queue)

    def start_afresh() -> None:
        alive = reference()
        if alive is not None:
            alive._start_afresh()  # noqa: SLF001 - the other half of the same object

    os.register_at_fork(after_in_child=start_afresh)
