"""The bot to which the stub delivers its updates, over real connections."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg
import pytest

from support.servers import Server, answers, free_port, wait_until
from support.telemetry import serving
from support.workload import COMMANDS, DATABASE, TOKEN, Workload

SECRET = "a-secret_of-the_webhook"  # noqa: S105 - of a stub
HEADER = "X-Telegram-Bot-Api-Secret-Token"
PENDING = "telegram_bot_webhook_pending_updates"
UPDATES = "telegram_bot_update_duration_seconds_count"


@dataclass
class Line:
    """How a test speaks to the stub and to the bot behind it."""

    workload: Workload
    stub: Server
    name: str
    port: int = field(default_factory=free_port)

    def call(self, method: str, **parameters: object) -> tuple[int, Any]:
        return self.workload.request("POST", self.name, f"/bot{TOKEN}/{method}", parameters)

    def received(self) -> dict[str, Any]:
        _, received = self.workload.request("GET", self.name, "/_received")
        return dict(received)

    def write(self, text: str, user: int = 10_001) -> None:
        """Let a user write to the bot."""
        self.workload.write_to_bot(text, user, stub=self.name)

    def pending(self) -> int:
        return int(self.call("getWebhookInfo")[1]["result"]["pending_update_count"])

    def metric(self, name: str, **labels: str) -> float:
        return self.workload.metric(f"bot-{self.port}", name, **labels)

    def health(self) -> tuple[int, Any]:
        return self.workload.request("GET", f"bot-{self.port}", "/health")

    def bot(self, *, ready_at: str = "/health", **env: str) -> Any:  # noqa: ANN401 - a context manager
        """Return a bot to be started in a block; ready when it is healthy."""
        url = f"http://127.0.0.1:{self.port}"
        self.workload.urls[f"bot-{self.port}"] = url
        return self.workload.process(
            f"bot-{self.port}",
            *COMMANDS["bot"],
            port=self.port,
            ready=lambda: answers(f"{url}{ready_at}"),
            METRICS_PORT=str(self.port),
            **({"BOT_WEBHOOK_LOOK_S": "0.3", "TELEGRAM_API_URL": self.stub.url} | env),
        )

    def webhook_bot(self, *, ready_at: str = "/health", **env: str) -> Any:  # noqa: ANN401 - a context manager
        url = f"http://127.0.0.1:{self.port}"
        webhook = {"TELEGRAM_WEBHOOK_URL": url, "TELEGRAM_WEBHOOK_SECRET": SECRET}
        return self.bot(ready_at=ready_at, **(webhook | env))

    def deliver(self, body: bytes, secret: str | None) -> int:
        """Do what Telegram does, or somebody who found the address; return the status."""
        request = Request(f"http://127.0.0.1:{self.port}/webhook/telegram", body, method="POST")
        request.add_header("Content-Type", "application/json")
        if secret is not None:
            request.add_header(HEADER, secret)
        try:
            with urlopen(request, timeout=10) as response:
                return int(response.status)
        except HTTPError as error:
            return error.code


@contextmanager
def a_line(workload: Workload, name: str) -> Iterator[Line]:
    """Run a stub of its own, to which nobody writes."""
    port = free_port()
    with workload.process(
        name,
        *COMMANDS["stub"],
        port=port,
        ready=lambda: answers(f"http://127.0.0.1:{port}/health"),
        STUB_PORT=str(port),
        STUB_UPDATES_PEAK="0",
    ) as server:
        workload.urls[name] = server.url
        yield Line(workload, server, name)


@pytest.fixture(scope="module")
def quiet(workload: Workload) -> Iterator[Line]:
    with a_line(workload, "stub-quiet") as made:
        yield made


@pytest.fixture
def line(quiet: Line) -> Line:
    """Return a stub without a webhook, and a port for the bot that a test starts."""
    quiet.call("deleteWebhook", drop_pending_updates=True)
    return Line(quiet.workload, quiet.stub, quiet.name)


@pytest.fixture(scope="module")
def served(workload: Workload) -> Iterator[Line]:
    """Return a stub with a bot to which it delivers."""
    with a_line(workload, "stub-served") as made, made.webhook_bot() as bot:
        yield made
    assert SECRET not in bot.log.read_text()


def test_an_update_is_delivered_and_answered_without_a_poll(served: Line) -> None:
    before = len(served.received()["messages"])

    served.write("/start")
    wait_until(lambda: len(served.received()["messages"]) > before, what="an answer", timeout_s=10)
    wait_until(lambda: served.pending() == 0, what="the update's end", timeout_s=10)

    received = served.received()
    assert "Welcome. /stats shows your channels." == received["messages"][-1]["text"]
    assert f"http://127.0.0.1:{served.port}/webhook/telegram" == received["webhook"]
    assert [] == [name for name in received["calls"] if name.startswith("getupdates")]
    assert served.metric(UPDATES, handler="start", status="ok") >= 1
    assert (200, {"status": "ok"}) == served.health()


@pytest.mark.parametrize("secret", [None, "", SECRET[:-1], SECRET + "x", "\xe9"])
def test_whoever_does_not_know_the_secret_is_refused(served: Line, secret: str | None) -> None:
    handled = served.metric(UPDATES)
    refused = served.metric("auth_failures_total", reason="webhook_secret")

    assert 403 == served.deliver(b'{"update_id": 1, "message": {}}', secret)

    assert handled == served.metric(UPDATES)
    assert refused + 1 == served.metric("auth_failures_total", reason="webhook_secret")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"update_id": "x"}', b"\xff"])
def test_what_is_no_update_is_400(served: Line, body: bytes) -> None:
    assert 400 == served.deliver(body, SECRET)


def test_a_kind_of_update_that_nobody_handles_is_taken(served: Line) -> None:
    assert 200 == served.deliver(b'{"update_id": 1, "news_of_2031": {"a": 1}}', SECRET)


def test_updates_that_wait_at_telegram_are_a_metric(served: Line) -> None:
    with (
        psycopg.connect(served.workload.postgres.dsn(DATABASE)) as blocker,
        blocker.transaction(),
    ):
        blocker.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        for _ in range(3):
            served.write("/start")
        wait_until(lambda: served.metric(PENDING) == 3, what="three that wait", timeout_s=4)
    wait_until(lambda: served.metric(PENDING) == 0, what="none that waits", timeout_s=10)


def test_an_address_that_somebody_else_set_is_set_again(served: Line) -> None:
    served.call("setWebhook", url="http://127.0.0.1:9/elsewhere")

    ours = f"http://127.0.0.1:{served.port}/webhook/telegram"
    wait_until(lambda: served.received()["webhook"] == ours, what="our address", timeout_s=10)
    wait_until(lambda: served.health()[0] == 200, what="health", timeout_s=5)


def test_what_arrives_while_the_bot_is_away_is_delivered_later(line: Line) -> None:
    line.call("setWebhook", url=f"http://127.0.0.1:{line.port}/webhook/telegram")
    before = len(line.received()["messages"])
    line.write("/start")
    wait_until(
        lambda: "last_error_message" in line.call("getWebhookInfo")[1]["result"],
        what="a delivery that failed",
    )
    assert 1 == line.pending()

    with line.webhook_bot():
        wait_until(lambda: line.pending() == 0, what="the delivery", timeout_s=20)
        assert before + 1 == len(line.received()["messages"])


def test_a_bot_is_not_healthy_before_telegram_knows_its_address(line: Line) -> None:
    away = {"TELEGRAM_API_URL": "http://127.0.0.1:9"}
    with line.webhook_bot(**away, ready_at="/metrics"):
        assert (503, {"status": "failing", "reason": "webhook not set"}) == line.health()


def test_a_token_that_telegram_does_not_know_ends_the_bot(line: Line) -> None:
    done = line.workload.run(
        *COMMANDS["bot"],
        BOT_TOKEN="1:nobody",  # noqa: S106 - of nobody
        METRICS_PORT=str(line.port),
        TELEGRAM_API_URL=line.stub.url,
        TELEGRAM_WEBHOOK_URL="http://127.0.0.1:9",
        TELEGRAM_WEBHOOK_SECRET=SECRET,
    )

    assert 1 == done.returncode
    assert "set BOT_TOKEN" in done.stdout


def test_a_port_that_is_taken_is_one_sentence(line: Line) -> None:
    done = line.workload.run(
        *COMMANDS["bot"],
        METRICS_PORT=str(line.stub.port),
        TELEGRAM_API_URL=line.stub.url,
        TELEGRAM_WEBHOOK_URL="http://127.0.0.1:9",
        TELEGRAM_WEBHOOK_SECRET=SECRET,
    )

    assert 1 == done.returncode
    assert f"error: METRICS_PORT {line.stub.port}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bot_that_polls_again_ends_the_webhook(line: Line) -> None:
    line.call("setWebhook", url="http://127.0.0.1:9/nobody")
    assert 409 == line.call("getUpdates")[0]

    with line.bot():
        before = len(line.received()["messages"])
        line.write("/start")
        wait_until(lambda: len(line.received()["messages"]) > before, what="an answer")
    assert "" == line.received()["webhook"]


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"url": "http://example.com/hook"}, 400),
        ({"url": "ftp://127.0.0.1/hook"}, 400),
        ({"url": "https://example.invalid/hook", "secret_token": "no spaces"}, 400),
        ({"url": "https://example.invalid/hook", "max_connections": "many"}, 400),
        ({"url": "http://127.0.0.1:9/hook", "secret_token": "fine-1"}, 200),
        ({"url": ""}, 200),
    ],
)
def test_the_stub_takes_an_address_or_says_why_not(
    line: Line, parameters: dict[str, str], status: int
) -> None:
    assert status == line.call("setWebhook", **parameters)[0]


def test_a_webhook_throws_a_poller_out(line: Line) -> None:
    polled: list[tuple[int, Any]] = []
    poller = threading.Thread(target=lambda: polled.append(line.call("getUpdates", timeout=20)))
    poller.start()
    wait_until(lambda: line.received()["polling"] == 1, what="a poller")

    line.call("setWebhook", url="http://127.0.0.1:9/hook")
    poller.join(10)

    assert 409 == polled[0][0]
    assert "webhook is active" in polled[0][1]["description"]


class Hook(ThreadingHTTPServer):
    """A webhook that fails as often as it is told, then takes everything."""

    daemon_threads = True

    def __init__(self, failures: int) -> None:
        super().__init__(("127.0.0.1", 0), _HookHandler)
        self.failures = failures
        self.secrets: list[str | None] = []


class _HookHandler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.secrets.append(self.headers.get(HEADER))
        self.server.failures -= 1
        self.send_response(500 if self.server.failures >= 0 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_the_stub_delivers_again_until_it_is_answered(line: Line) -> None:
    with serving(Hook(failures=2)) as hook:
        url = f"http://127.0.0.1:{hook.server_port}/hook"
        line.call("setWebhook", url=url, secret_token=SECRET)
        line.write("hello")
        wait_until(lambda: len(hook.secrets) == 3, what="three attempts", timeout_s=10)
        wait_until(lambda: line.pending() == 0, what="the delivery", timeout_s=5)

    assert [SECRET] * 3 == hook.secrets
    info = line.call("getWebhookInfo")[1]["result"]
    assert (
        "Wrong response from the webhook: 500 Internal Server Error" == (info["last_error_message"])
    )


def test_updates_that_wait_can_be_dropped(line: Line) -> None:
    line.call("setWebhook", url="http://127.0.0.1:9/nobody")
    line.write("hello")
    assert 1 == line.pending()

    line.call("deleteWebhook", drop_pending_updates=True)

    assert 0 == line.pending()
