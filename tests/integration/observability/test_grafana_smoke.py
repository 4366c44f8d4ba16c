"""The smoke test of a Grafana, against a server that speaks the three calls it makes."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from abops.clients.grafana import Grafana, GrafanaError
from abops.kernel.errors import OpsError
from abops.workflows.signals_check import smoke

TOKEN = "glsa_not-a-real-one"  # noqa: S105
KNOWN = ["ab-business", "ab-sla-slo"]


class GrafanaServer(ThreadingHTTPServer):
    """Answers like Grafana; a test changes `answers`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Any] = {
            "/api/health": {"database": "ok", "version": "12.0.0"},
            "/api/search": [{"uid": uid} for uid in KNOWN],
            "/api/ds/query": {"results": {"A": {"frames": [{}], "status": 200}}},
        }
        self.asked: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: GrafanaServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.asked.append(json.loads(self.rfile.read(length)))
        self._answer()

    def _answer(self) -> None:
        allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
        content = json.dumps(self.server.answers[self.path.split("?")[0]]).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[GrafanaServer]:
    with GrafanaServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_grafana_with_the_boards_passes(server: GrafanaServer) -> None:
    assert "2 boards, and the data source answers" == smoke(Grafana(server.url, TOKEN), KNOWN)
    assert ["up"] == [question["expr"] for question in server.asked[0]["queries"]]


def test_a_board_that_is_missing_is_named(server: GrafanaServer) -> None:
    with pytest.raises(OpsError, match="Grafana does not know ab-infrastructure"):
        smoke(Grafana(server.url, TOKEN), [*KNOWN, "ab-infrastructure"])


def test_a_database_that_is_not_well_fails(server: GrafanaServer) -> None:
    server.answers["/api/health"] = {"database": "failing"}

    with pytest.raises(GrafanaError, match="its database is 'failing'"):
        smoke(Grafana(server.url, TOKEN), KNOWN)


def test_a_data_source_without_series_fails(server: GrafanaServer) -> None:
    server.answers["/api/ds/query"] = {"results": {"A": {"frames": []}}}

    with pytest.raises(OpsError, match="data source has no `up`"):
        smoke(Grafana(server.url, TOKEN), KNOWN)


def test_a_refused_token_does_not_appear_in_the_error(server: GrafanaServer) -> None:
    with pytest.raises(GrafanaError) as caught:
        smoke(Grafana(server.url, "glsa_wrong"), KNOWN)

    assert f"{server.url}/api/health answered 401" == str(caught.value)
    assert "glsa" not in str(caught.value) + str(caught.value.hint)
