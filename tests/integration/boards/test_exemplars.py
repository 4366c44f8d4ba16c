"""Exemplars of a real Prometheus, and what comes when there are too many."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from abops.clients import prometheus_queries
from abops.clients.prometheus_queries import PrometheusQueries
from support.exemplars import FAST, SLOW, prometheus_with_exemplars
from support.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with prometheus_with_exemplars(tmp_path_factory.mktemp("exemplars")) as server:
        yield server


def traces(server: Server, expr: str, *, since_s: int, until_s: int = 0) -> set[str]:
    now = int(time.time()) + 1  # noqa: TID251 - Prometheus reads the machine's clock

    async def ask() -> set[str]:
        async with PrometheusQueries(server.url) as prometheus:
            found = await prometheus.exemplars(expr, now - since_s, now - until_s)
        return {one.labels["trace_id"] for series in found for one in series.exemplars}

    return asyncio.run(ask())


def test_exemplars_are_those_of_the_series_and_the_time(server: Server) -> None:
    everything = "latency_seconds_bucket{}"
    assert {FAST, SLOW} == traces(server, everything, since_s=600)
    assert {SLOW} == traces(server, 'latency_seconds_bucket{http_route="/reports"}', since_s=600)
    assert set() == traces(server, everything, since_s=7200, until_s=3600)
    assert set() == traces(server, "up", since_s=600)


def test_too_many_are_asked_for_a_shorter_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus_queries, "EXEMPLARS_AT_MOST", 40)
    # Only the empty answer is that short: halving goes on until the time has no exemplar.
    assert set() == traces(server, "latency_seconds_bucket{}", since_s=600)
