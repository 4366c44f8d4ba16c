import asyncio
import signal
import socket
import subprocess
import sys
import time
from statistics import median
from typing import Any

import httpx2
import pytest

from support.channels import SECRETS, Channels, start
from support.servers import wait_until

CALLS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "slack": (
        "/api/chat.postMessage",
        {"channel": "C0FAULTS", "text": "page"},
        {"Authorization": f"Bearer {SECRETS['slack']}"},
    ),
    "pagerduty": (
        "/v2/enqueue",
        {
            "routing_key": SECRETS["pd-dev"],
            "event_action": "trigger",
            "payload": {"summary": "page", "source": "test", "severity": "critical"},
        },
        {},
    ),
    "telegram": (f"/bot{SECRETS['telegram']}/sendMessage", {"chat_id": 900, "text": "page"}, {}),
}
EVERY_CHANNEL = pytest.mark.parametrize("part", sorted(CALLS))


def send(channels: Channels, part: str, *, timeout_s: float = 10.0) -> httpx2.Response:
    path, body, headers = CALLS[part]
    url = channels.url(part) + path
    return httpx2.post(url, json=body, headers=headers, timeout=timeout_s)


@EVERY_CHANNEL
def test_an_ordered_429_names_the_wait_and_ends_after_its_count(
    channels: Channels, part: str
) -> None:
    channels.control(part, mode="429", retry_after=7, count=2)
    answers = [send(channels, part) for _ in range(3)]
    assert [429, 429] == [answer.status_code for answer in answers[:2]]
    assert answers[2].is_success
    assert {"7"} == {answer.headers["retry-after"] for answer in answers[:2]}
    if part == "telegram":
        assert {"retry_after": 7} == answers[0].json()["parameters"]
    assert 1 == len(channels.received(part))
    assert [] == channels.violations(part)


@EVERY_CHANNEL
@pytest.mark.parametrize(("mode", "status"), [("5xx", 5), ("malformed", 2)])
def test_a_broken_provider_answers_but_processes_nothing(
    channels: Channels, part: str, mode: str, status: int
) -> None:
    channels.control(part, mode=mode)
    answer = send(channels, part)
    assert status == answer.status_code // 100
    if mode == "malformed":
        with pytest.raises(ValueError, match="Expecting"):
            answer.json()
    assert [] == channels.received(part)


def test_a_reset_breaks_the_connection(channels: Channels) -> None:
    channels.control("pagerduty", mode="reset", count=1)
    with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
        send(channels, "pagerduty")
    assert send(channels, "pagerduty").is_success


def test_a_hanging_call_ends_without_an_answer_at_the_next_order(channels: Channels) -> None:
    async def hang_and_release() -> None:
        path, body, _ = CALLS["pagerduty"]
        async with httpx2.AsyncClient(timeout=10) as client:
            hanging = asyncio.create_task(client.post(channels.url("pagerduty") + path, json=body))
            control = channels.url("pagerduty") + "/_control"
            while (await client.get(control)).json()["applied"] == 0:
                assert not hanging.done()
            await client.post(control, json={"mode": "ok"})
            with pytest.raises(httpx2.HTTPError):
                await hanging

    channels.control("pagerduty", mode="hang")
    asyncio.run(hang_and_release())
    assert [] == channels.received("pagerduty")


def test_a_slow_provider_answers_late_and_records(channels: Channels) -> None:
    channels.control("pagerduty", mode="slow", delay_s=0.3, count=1)
    began = time.monotonic()
    assert send(channels, "pagerduty").is_success
    assert time.monotonic() - began >= 0.3
    assert 1 == len(channels.received("pagerduty"))


@pytest.mark.parametrize(
    "order", [{}, {"mode": "strange"}, {"mode": "ok", "colour": 1}, {"mode": "429", "count": "x"}]
)
def test_an_order_that_is_not_understood_changes_nothing(
    channels: Channels, order: dict[str, Any]
) -> None:
    answer = httpx2.post(f"{channels.url('slack')}/_control", json=order)
    assert 422 == answer.status_code
    assert "error" in answer.json()
    assert "ok" == httpx2.get(f"{channels.url('slack')}/_control").json()["mode"]


def test_the_servers_end_within_two_seconds_whatever_hangs(own_channels: Channels) -> None:
    channels = own_channels
    with start(channels) as server, socket.socket() as hanging, httpx2.Client() as client:
        channels.control("slack", mode="hang")
        hanging.connect(("127.0.0.1", channels.ports["slack"]))
        hanging.sendall(b"POST /api/auth.test HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        control = f"{channels.url('slack')}/_control"
        wait_until(lambda: client.get(control).json()["applied"] == 1, what="the call hangs")
        with client.stream("GET", f"{channels.url('inbox')}/_events") as stream:
            assert "data: 0" == next(stream.iter_lines())
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert 0 == server.process.wait(10)
            assert time.monotonic() - began < 2


def test_a_restart_keeps_history_and_state(own_channels: Channels) -> None:
    channels = own_channels
    with start(channels):
        for part in CALLS:
            assert send(channels, part).is_success
        before = channels.received("inbox")
        ts = channels.received("slack")[0]["answer"]["ts"]
    with start(channels):
        assert before == channels.received("inbox")
        update = {"channel": "C0FAULTS", "ts": ts, "text": "edited after the restart"}
        headers = CALLS["slack"][2]
        url = f"{channels.url('slack')}/api/chat.update"
        assert httpx2.post(url, json=update, headers=headers).json()["ok"]
        known = httpx2.get(f"{channels.url('pagerduty')}/incidents").json()
        assert ["triggered"] == [incident["status"] for incident in known]


def test_a_taken_port_is_one_clear_error(own_channels: Channels) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", own_channels.ports["telegram"]))
        taken.listen()
        config = own_channels.folder / "channels.json"
        ended = subprocess.run(
            [sys.executable, "-m", "abops.stack.channels", "--config", config],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert 1 == ended.returncode
    assert f"127.0.0.1:{own_channels.ports['telegram']} cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_answer_does_not_wait_for_the_sender_s_acknowledgement(channels: Channels) -> None:
    def seconds(client: httpx2.Client) -> float:
        began = time.monotonic()
        client.get("/healthz")
        return time.monotonic() - began

    with httpx2.Client(base_url=channels.url("slack")) as client:
        assert median(seconds(client) for _ in range(20)) < 0.03
