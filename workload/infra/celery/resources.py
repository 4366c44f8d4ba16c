"""What a worker's child keeps between tasks: a database connection, a line to Telegram.

Made on first use, which is after the fork: a connection shared by two processes would mix up
their answers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache as cache_once

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine

from abops_instrument.http_client import status_label
from abops_instrument.stores import instrument_engine
from apps.bot.sender import Telegram
from apps.faults import switches
from apps.settings import settings
from apps.storage.engines import sync_engine
from infra.celery import tally


class InjectedError(Exception):
    """A fault switch made this task fail."""


@cache_once
def engine() -> Engine:
    """Return this child's database pool: one connection, as it runs one task at a time."""
    made = sync_engine(settings(), pool_size=1)
    instrument_engine(made)
    return made


@cache_once
def _telegram() -> Telegram:
    return Telegram(settings().telegram_api_url, settings().bot_token)


@cache_once
def cache() -> redis.Redis:
    """Return this child's line to Redis."""
    return redis.Redis.from_url(
        settings().redis_url,
        socket_timeout=2,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 1),
    )


@contextmanager
def telegram() -> Iterator[Telegram]:
    """Lend the line to Telegram; what was called over it is counted."""
    line = _telegram()
    try:
        yield line
    finally:
        for call in line.take_calls():
            tally.add(tally.TELEGRAM_REQUESTS, 1, call.method, call.code)
            tally.add(tally.TELEGRAM_SECONDS, call.seconds, call.method)
            tally.add(tally.HTTP_CLIENT, call.seconds, line.address, status_label(call.status))
            if call.retry_after_s:
                tally.add(tally.TELEGRAM_WAITS, call.retry_after_s)


def fail_if_told(task: str) -> None:
    """Raise when the switch `task_fail` is on for this task."""
    fault = switches().hits("task_fail")
    if fault is not None and fault.text("task", "all") in {"all", task, task.rpartition(".")[2]}:
        raise InjectedError(f"{task} fails on purpose")
