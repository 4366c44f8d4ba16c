"""Counts made in the worker's children, told to the parent.

A child lives for a thousand tasks and serves no /metrics; whatever it counts dies with it. So
children write one short line per count into a pipe and the parent, which is the one that is
scraped, adds it up. A write of this size is atomic, and when the pipe is full (the parent has
stood still for thousands of counts) the count is dropped: work never waits for its metrics.
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Mapping
from typing import TypeAlias

from celery import signals

from abops_instrument import http_client
from abops_instrument.series import REQUEST_BUCKETS, counter, histogram

log = logging.getLogger(__name__)

TELEGRAM_REQUESTS = "telegram_api_requests_total"
TELEGRAM_SECONDS = "telegram_api_request_duration_seconds"
TELEGRAM_WAITS = "telegram_api_retry_after_seconds_total"
HTTP_CLIENT = http_client.NAME
BLOCKED = "telegram_bot_blocked_total"
POSTS = "analyticbot_posts_total"
POST_DELAY = "analyticbot_post_delay_seconds"
ANALYSIS = "analyticbot_analysis_duration_seconds"
REPORTS = "analyticbot_reports_generated_total"

COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    TELEGRAM_REQUESTS: ("Calls of the Bot API.", ("method", "code")),
    TELEGRAM_WAITS: ("Seconds for which the Bot API asked for patience.", ()),
    BLOCKED: ("Messages refused because the receiver has blocked the bot.", ()),
    POSTS: ("Posts that came to an end.", ("result",)),
    REPORTS: ("Reports made.", ("format",)),
}
HISTOGRAMS: Mapping[str, tuple[str, tuple[str, ...], tuple[float, ...]]] = {
    TELEGRAM_SECONDS: ("How long the Bot API took.", ("method",), REQUEST_BUCKETS),
    HTTP_CLIENT: (http_client.HELP, http_client.LABELS, REQUEST_BUCKETS),
    POST_DELAY: (
        "How late a post was sent.",
        (),
        (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600),
    ),
    ANALYSIS: ("How long an analysis took.", (), (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60)),
}

Count: TypeAlias = tuple[str, float, tuple[str, ...]]
_writer: int | None = None


def add(metric: str, value: float = 1.0, *labels: str) -> None:
    """Count `value` on `metric`: in the parent when this is its child, else here."""
    if _writer is None:
        apply((metric, value, labels))
        return
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(_writer, json.dumps([metric, value, labels]).encode() + b"\n")


def apply(count: Count) -> None:
    """Add one count to this process's metrics."""
    metric, value, labels = count
    if metric in COUNTERS:
        text, names = COUNTERS[metric]
        counter(metric, text, names).labels(*labels).inc(value)
    else:
        text, names, buckets = HISTOGRAMS[metric]
        histogram(metric, text, names, buckets=buckets).labels(*labels).observe(value)


def declare() -> None:
    """Make every metric appear at once: a counter that is born at 1 hides its first event."""
    for name, (text, labels) in COUNTERS.items():
        family = counter(name, text, labels)
        if not labels:
            family.labels()
    for name, (text, labels, buckets) in HISTOGRAMS.items():
        family_h = histogram(name, text, labels, buckets=buckets)
        if not labels:
            family_h.labels()
    for result in ("sent", "failed", "blocked"):
        counter(POSTS, *COUNTERS[POSTS]).labels(result)


@signals.worker_init.connect  # type: ignore[untyped-decorator] # Celery has no types
def _open(**_signal: object) -> None:
    """Open the pipe before the children are forked: they inherit its end."""
    declare()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_read, args=(reader,), name="tally", daemon=True).start()
    global _writer  # noqa: PLW0603 - one pipe per worker
    _writer = writer


def _read(reader: int) -> None:
    with os.fdopen(reader, "rb") as lines:
        for line in lines:
            try:
                metric, value, labels = json.loads(line)
                apply((metric, float(value), tuple(labels)))
            except (ValueError, KeyError, TypeError):
                log.exception("a child's count could not be read")
