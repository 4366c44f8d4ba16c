"""The accounts that read channels, against the stub's gateway and its limits."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any

import pytest

from support.servers import Server, answers, free_port, wait_until
from support.telemetry import serving
from support.workload import COMMANDS, FIRST_CHANNEL, Workload

KNOWN = "session-one,session-two"
UNKNOWN = "session-unknown"
MTPROTO = ("python", "-m", "apps.mtproto")
REQUESTS = "telegram_mtproto_requests_total"
WAITS = "telegram_mtproto_flood_wait_seconds_total"
SESSIONS = "telegram_mtproto_sessions"
FULL = "channels.getFullChannel"
PRIVATE = next(number for number in range(FIRST_CHANNEL, FIRST_CHANNEL + 101) if number % 101 == 0)


@contextmanager
def a_gateway(workload: Workload, port: int) -> Iterator[str]:
    """Run a stub that knows two sessions; return the address of its gateway."""
    with workload.process(
        f"stub-{port}",
        *COMMANDS["stub"],
        port=port,
        ready=lambda: answers(f"http://127.0.0.1:{port}/health"),
        STUB_PORT=str(port),
        STUB_UPDATES_PEAK="0",
        MTPROTO_SESSIONS=KNOWN,
    ) as server:
        yield f"{server.url}/mtproto"


@contextmanager
def accounts(workload: Workload, gateway: str, *, sessions: str, **env: str) -> Iterator[Server]:
    """Run the accounts until the block ends; `mtproto` is their name for `workload.metric`."""
    port = free_port()
    workload.urls["mtproto"] = f"http://127.0.0.1:{port}"
    with workload.process(
        "mtproto",
        *MTPROTO,
        port=port,
        ready=lambda: answers(f"http://127.0.0.1:{port}/metrics"),
        METRICS_PORT=str(port),
        MTPROTO_ENABLED="1",
        MTPROTO_GATEWAY_URL=gateway,
        MTPROTO_SESSIONS=sessions,
        **env,
    ) as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_measured(workload: Workload) -> Iterator[None]:
    yield
    workload.sql("TRUNCATE channel_statistics")


@pytest.fixture(scope="module")
def gateway(workload: Workload) -> Iterator[str]:
    with a_gateway(workload, free_port()) as made:
        yield made


def states(workload: Workload) -> dict[str, float]:
    """Return how many sessions are in each state that any is in."""
    samples = workload.metrics("mtproto")[SESSIONS]
    return {labels["state"]: value for labels, value in samples if value}


def health(workload: Workload) -> int:
    return workload.request("GET", "mtproto", "/health")[0]


def measured(workload: Workload) -> dict[int, int]:
    rows = workload.sql("SELECT channel_id, max(subscribers) FROM channel_statistics GROUP BY 1")
    return {int(channel): int(subscribers) for channel, subscribers in rows}


def test_it_is_off_unless_it_is_turned_on(workload: Workload) -> None:
    done = workload.run(*MTPROTO, DATABASE_URL="postgresql://127.0.0.1:9/nowhere")

    assert (0, "mtproto: off; MTPROTO_ENABLED=1 turns it on\n", "") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )


def test_every_channel_is_read_by_its_account_and_an_account_that_is_logged_out_reads_none(
    workload: Workload, gateway: str
) -> None:
    sessions = f"{UNKNOWN},{KNOWN}"
    everything = [row[0] for row in workload.sql("SELECT id FROM channels ORDER BY id")]
    mine = {channel for place, channel in enumerate(everything) if place % 3}  # not the first's
    with accounts(workload, gateway, sessions=sessions, MTPROTO_INTERVAL_S="600") as server:
        wait_until(lambda: workload.metric("mtproto", WAITS) > 0, what="FLOOD_WAIT", timeout_s=30)
        assert 200 == health(workload)  # an account that waits is not ill
        wait_until(lambda: len(measured(workload)) >= len(mine) - 1, what="a round", timeout_s=40)

        assert {channel: 100 + channel * 7919 % 50_000 for channel in mine - {PRIVATE}} == (
            measured(workload)
        )
        assert PRIVATE in mine
        assert {"connected": 2.0, "lost": 1.0} == states(workload)
        counted = {
            (labels["method"], labels["result"]): value
            for labels, value in workload.metrics("mtproto")[REQUESTS]
            if value
        }
        assert counted.pop((FULL, "flood_wait")) >= 2
        assert {
            ("updates.getState", "ok"): 2.0,
            ("updates.getState", "unauthorized"): 1.0,
            (FULL, "ok"): float(len(mine) - 1),
            (FULL, "refused"): 1.0,
        } == counted
        answered = {"server_address": "127.0.0.1", "http_response_status_code": "420"}
        assert workload.metric(
            "mtproto", "http_client_request_duration_seconds_count", **answered
        ) == workload.metric("mtproto", REQUESTS, result="flood_wait")
        page = json.dumps(workload.metrics("mtproto"))
    log = server.log.read_text()
    assert "AUTH_KEY_UNREGISTERED" in log
    for key in sessions.split(","):
        assert key not in log + page


def test_an_account_that_waits_for_minutes_stops_at_once(workload: Workload, gateway: str) -> None:
    with (
        workload.fault("mtproto_flood", wait_s=300),
        accounts(workload, gateway, sessions=KNOWN) as server,
    ):
        wait_until(lambda: states(workload) == {"flood_wait": 2.0}, what="both accounts wait")
        assert (600.0, 200) == (workload.metric("mtproto", WAITS), health(workload))

        server.process.send_signal(signal.SIGTERM)
        assert 0 == server.process.wait(5)


def test_sessions_that_telegram_ends_make_it_unhealthy_for_good(
    workload: Workload, gateway: str
) -> None:
    with accounts(workload, gateway, sessions=KNOWN, MTPROTO_INTERVAL_S="1") as server:
        wait_until(lambda: health(workload) == 200, what="health")
        with workload.fault("mtproto_revoked"):
            wait_until(lambda: states(workload) == {"lost": 2.0}, what="both are lost")
        asked = workload.metric("mtproto", REQUESTS)
        assert 503 == health(workload)

        # Two more rounds: a session that was ended is not used again.
        with pytest.raises(AssertionError):
            wait_until(lambda: workload.metric("mtproto", REQUESTS) > asked, timeout_s=2.5)
        assert {"lost": 2.0} == states(workload)
    assert "SESSION_REVOKED" in server.log.read_text()


def test_it_waits_for_a_gateway_that_is_away(workload: Workload) -> None:
    port = free_port()
    with accounts(workload, f"http://127.0.0.1:{port}/mtproto", sessions=KNOWN):
        wait_until(
            lambda: workload.metric("mtproto", REQUESTS, result="network") > 0, what="a refusal"
        )
        assert ({"connecting": 2.0}, 503) == (states(workload), health(workload))

        with a_gateway(workload, port):
            wait_until(lambda: health(workload) == 200, what="health", timeout_s=30)
            assert {"lost", "connecting"}.isdisjoint(states(workload))


def test_it_waits_for_a_database_that_is_away(workload: Workload, gateway: str) -> None:
    nowhere = "postgresql://analytic@127.0.0.1:9/analytic_bot"
    with accounts(workload, gateway, sessions=KNOWN, DATABASE_URL=nowhere) as server:
        wait_until(
            lambda: server.log.read_text().count("database away") >= 2, what="a second attempt"
        )
        assert 503 == health(workload)
        assert server.process.poll() is None


class Babble(ThreadingHTTPServer):
    """Answers with what nobody should answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _BabbleHandler)
        self.answers = cycle(
            [
                (200, b"<html>"),
                (200, b"[1]"),
                (200, b'{"ok": true, "result": "many"}'),
                (200, b'{"ok": true, "result": {"participants_count": "many"}}'),
                (420, b'{"error": "FLOOD_WAIT_soon"}'),
                (420, b'{"error": ["FLOOD_WAIT_9"]}'),
                (503, b""),
                (302, b"{}"),
                (400, b'{"error": "' + b"x" * 10_000 + b'"}'),
            ]
        )
        self.asked = 0


class _BabbleHandler(BaseHTTPRequestHandler):
    server: Babble

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        status, body = (200, b"{}") if "getState" in self.path else next(self.server.answers)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def test_answers_that_make_no_sense_measure_nothing_and_break_nothing(workload: Workload) -> None:
    with (
        serving(Babble()) as babble,
        accounts(
            workload,
            f"http://127.0.0.1:{babble.server_port}",
            sessions=KNOWN,
            MTPROTO_INTERVAL_S="1",
        ) as server,
    ):
        wait_until(lambda: babble.asked > 25, what="answers of every kind", timeout_s=60)

        assert server.process.poll() is None
        results = {"ok", "server", "network", "refused"}
        assert all(workload.metric("mtproto", REQUESTS, result=name) for name in results)
        assert {} == measured(workload)
        labels: list[dict[str, Any]] = [label for label, _ in workload.metrics("mtproto")[REQUESTS]]
        assert {"updates.getState", FULL} == {label["method"] for label in labels}
        assert 12 == len(labels)


def test_a_port_that_is_taken_is_one_sentence(workload: Workload, gateway: str) -> None:
    taken = gateway.removesuffix("/mtproto").rpartition(":")[2]

    done = workload.run(*MTPROTO, MTPROTO_ENABLED="1", METRICS_PORT=taken)

    assert 1 == done.returncode
    assert f"error: METRICS_PORT {taken}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_measurements_are_kept_for_thirty_days(workload: Workload) -> None:
    workload.sql(
        "INSERT INTO channel_statistics"
        " SELECT min(id), now() - interval '31 days', 1, 1 FROM channels"
        " UNION ALL SELECT min(id), now() - interval '29 days', 2, 2 FROM channels"
    )

    called = workload.run(
        "celery", "-A", "infra.celery.celery_app", "call", "bot.tasks.cleanup_metrics_task"
    )

    assert 0 == called.returncode, called.stderr
    wait_until(
        lambda: workload.sql("SELECT subscribers FROM channel_statistics") == [(2,)],
        what="the old one's end",
        timeout_s=20,
    )
