import json
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry, Counter

from abops_instrument.server import MetricsServer, start_metrics_server


def get(server: MetricsServer, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture
def healthy() -> dict[str, bool]:
    return {"yes": True}


@pytest.fixture
def server(healthy: dict[str, bool]) -> Iterator[MetricsServer]:
    registry = CollectorRegistry()
    Counter("posts_total", "Posts.", registry=registry).inc()
    server = start_metrics_server(0, health=lambda: healthy["yes"], registry=registry)
    yield server
    server.stop()


def test_the_page_comes_in_the_format_that_was_asked_for(server: MetricsServer) -> None:
    status, text = get(server, "/metrics")
    assert (200, True) == (status, "posts_total 1.0" in text)
    assert not text.endswith("# EOF\n")
    _, text = get(server, "/metrics?x=1", Accept="application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")


def test_health_is_asked_every_time(server: MetricsServer, healthy: dict[str, bool]) -> None:
    assert (200, '{"status": "ok"}') == get(server, "/health")
    healthy["yes"] = False
    assert (503, '{"status": "failing"}') == get(server, "/health")


def test_a_health_check_that_raises_is_unhealthy() -> None:
    def broken() -> bool:
        raise ConnectionError("password=secret")

    server = start_metrics_server(0, health=broken, registry=CollectorRegistry())
    status, text = get(server, "/health")
    server.stop()
    assert (503, {"status": "failing", "reason": "ConnectionError"}) == (status, json.loads(text))


def test_other_paths_are_not_found_and_head_has_no_body(server: MetricsServer) -> None:
    assert 404 == get(server, "/")[0]
    assert (200, "") == get(server, "/health", method="HEAD")


def test_a_taken_port_is_an_error_at_the_start(server: MetricsServer) -> None:
    with pytest.raises(OSError, match="in use"):
        start_metrics_server(server.port)


def test_a_stopped_server_frees_its_port() -> None:
    first = start_metrics_server(0, registry=CollectorRegistry())
    first.stop()
    second = start_metrics_server(first.port, registry=CollectorRegistry())
    assert first.port == second.port
    second.stop()
