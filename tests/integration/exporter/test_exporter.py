"""The business exporter in front of a real Redis, and after it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from abops.clients.redis import BrokerReader
from abops.observability.exporter import LENGTH, OLDEST, Exporter, Queues, serve
from support.servers import Server, free_port, start_redis

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class SetClock:
    """A clock that stands, so that ages are exact."""

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return NOON.timestamp()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    with start_redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def writer(broker: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=broker.port) as client:
        yield client


@pytest.fixture
def exporter(broker: Server) -> Iterator[Exporter]:
    reader = BrokerReader(f"redis://127.0.0.1:{broker.port}/0")
    yield Exporter([Queues(reader, ["default", "messages"])], SetClock(), timedelta(seconds=15))
    reader.close()


@pytest.fixture
def url(exporter: Exporter) -> Iterator[str]:
    port = free_port()
    server, thread = serve(exporter, "127.0.0.1", port)
    yield f"http://127.0.0.1:{port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


def publish(writer: redis.Redis, queue: str, waiting_s: float) -> None:
    """Do what Celery's publisher does: newest on the left."""
    headers = {"task": "send", "abops_sent_at": NOON.timestamp() - waiting_s}
    writer.lpush(queue, json.dumps({"body": "", "headers": headers}))


def scraped(url: str) -> dict[tuple[str, str], float]:
    """Return the value of every series with a label, by its name and that one label."""
    with urlopen(url, timeout=5) as response:
        text = response.read().decode()
    return {
        (sample.name, next(iter(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels  # the process's own figures have none
    }


def test_a_queue_shows_its_length_and_the_age_of_its_oldest_message(
    exporter: Exporter, url: str, writer: redis.Redis
) -> None:
    for waiting_s in (120, 60, 5):
        publish(writer, "default", waiting_s)

    exporter.read_once()

    assert {
        (LENGTH, "default"): 3.0,
        (OLDEST, "default"): 120.0,
        (LENGTH, "messages"): 0.0,
        (OLDEST, "messages"): 0.0,
        ("abops_exporter_up", "redis"): 1.0,
        ("abops_exporter_errors_total", "redis"): 0.0,
    } == scraped(url)


def test_a_message_that_a_worker_takes_counts_no_more(
    exporter: Exporter, url: str, writer: redis.Redis
) -> None:
    for waiting_s in (120, 60):
        publish(writer, "messages", waiting_s)
    writer.rpop("messages")

    exporter.read_once()

    found = scraped(url)
    assert (1.0, 60.0) == (found[LENGTH, "messages"], found[OLDEST, "messages"])


def test_a_foreign_message_has_a_length_but_no_age(
    exporter: Exporter, url: str, writer: redis.Redis
) -> None:
    writer.lpush("default", b"\xff not ours")

    exporter.read_once()

    found = scraped(url)
    assert (1.0, 0.0) == (found[LENGTH, "default"], found[OLDEST, "default"])


def test_without_redis_the_last_values_are_served(
    exporter: Exporter, url: str, writer: redis.Redis, broker: Server
) -> None:
    publish(writer, "default", 42)
    exporter.read_once()
    broker.stop()

    exporter.read_once()

    found = scraped(url)
    assert (1.0, 42.0) == (found[LENGTH, "default"], found[OLDEST, "default"])
    assert 0.0 == found["abops_exporter_up", "redis"]


def test_an_exporter_that_starts_before_redis_finds_it_later(
    exporter: Exporter, url: str, broker: Server, tmp_path: Path
) -> None:
    broker.stop()
    exporter.read_once()
    errors = ("abops_exporter_errors_total", "redis")
    assert {("abops_exporter_up", "redis"): 0.0, errors: 1.0} == scraped(url)

    with start_redis(tmp_path / "again", port=broker.port):
        exporter.read_once()

    found = scraped(url)
    assert (0.0, 1.0) == (found[LENGTH, "default"], found["abops_exporter_up", "redis"])


def test_a_key_that_is_no_list_is_a_source_that_is_away(
    exporter: Exporter, url: str, writer: redis.Redis
) -> None:
    writer.set("default", "not a queue")

    exporter.read_once()

    assert 0.0 == scraped(url)["abops_exporter_up", "redis"]
