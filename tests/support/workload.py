"""The reference AnalyticBot for tests: its processes on real stores and free ports."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg
from prometheus_client.parser import text_string_to_metric_families

from abops.kernel.clock import SystemClock
from support.servers import (
    Postgres,
    Server,
    answers,
    free_port,
    listens,
    running,
    start_postgres,
    start_redis,
    wait_until,
)
from support.telemetry import Collector, serving

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "workload"
PROGRAMS = FOLDER / ".venv" / "bin"
TOKEN = "100000:test-token"  # noqa: S105 - of a stub
DATABASE = "analytic_bot"
FIRST_CHANNEL = 500_001
LOOK_EVERY_S = 0.2
"""After so long every process has looked at the switches, which it does ten times a second."""


@dataclass
class Workload:
    """The processes, and how a test speaks to them."""

    env: Mapping[str, str]
    folder: Path
    postgres: Postgres
    redis: Server
    urls: dict[str, str] = field(default_factory=dict)
    servers: dict[str, Server] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)
    collector: Collector | None = None

    def request(
        self, method: str, process: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any]:
        """Return status and JSON body of one request to a process."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.urls[process] + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name, value)
        try:
            with urlopen(request, timeout=15) as response:
                return response.status, json.loads(response.read() or b"null")
        except HTTPError as error:
            raw = error.read()
            return error.code, json.loads(raw) if raw.startswith((b"{", b"[")) else raw.decode()

    def get(self, path: str) -> tuple[int, Any]:
        """Return the api's answer to a GET."""
        return self.request("GET", "api", path)

    def post(self, path: str, body: object = None) -> tuple[int, Any]:
        """Return the api's answer to a POST."""
        return self.request("POST", "api", path, body)

    def metrics(self, process: str) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Return the samples that a process shows, by name."""
        with urlopen(self.urls[process] + "/metrics", timeout=10) as response:
            page = response.read().decode()
        samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return samples

    def metric(self, process: str, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that carry these labels; 0 when there are none."""
        found = self.metrics(process).get(name, [])
        return sum(value for have, value in found if labels.items() <= have.items())

    def write_to_bot(self, text: str, user: int = 10_001, *, stub: str = "stub") -> None:
        """Let a user write to the bot."""
        message: dict[str, Any] = {
            "message_id": 1,
            "date": int(SystemClock().now().timestamp()),
            "chat": {"id": user, "type": "private", "first_name": "Ada"},
            "from": {"id": user, "is_bot": False, "first_name": "Ada"},
            "text": text,
        }
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text)}]
        self.request("POST", stub, "/_updates", {"message": message})

    def sent(self) -> list[str]:
        """Return the texts that arrived at Telegram."""
        _, received = self.request("GET", "stub", "/_received")
        return [message["text"] for message in received["messages"]]

    def post_to_channel(self, text: str, number: int = 1, **more: object) -> int:
        """Have a text posted to the channel with this number; return the post's id."""
        body = {"channel_id": FIRST_CHANNEL + number, "text": text, **more}
        status, answer = self.post("/api/v1/posts", body)
        assert status == 202, answer
        post_id: int = answer["id"]
        return post_id

    def await_status(self, post_id: int, *statuses: str, timeout_s: float = 30) -> str:
        """Wait until a post has one of these statuses, and return it."""
        path, seen = f"/api/v1/posts/{post_id}", ""

        def has_come() -> bool:
            nonlocal seen
            status, answer = self.get(path)
            seen = answer["status"] if status == 200 else str(status)
            return seen in statuses

        wait_until(has_come, timeout_s=timeout_s, what=f"post {post_id} {statuses}, was {seen}")
        return seen

    @contextmanager
    def fault(self, name: str, **options: object) -> Iterator[None]:
        """Break something for the time of the block."""
        status, answer = self.request("POST", "control", f"/faults/{name}", options)
        assert status == 200, answer
        time.sleep(LOOK_EVERY_S)
        try:
            yield
        finally:
            self.request("POST", "control", f"/faults/{name}", {"on": False})

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with psycopg.connect(self.postgres.dsn(DATABASE), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def run(self, *argv: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the workload's programs to its end."""
        return subprocess.run(
            [PROGRAMS / argv[0], *argv[1:]],
            cwd=FOLDER,
            env={**os.environ, **self.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def without(self, store: Server) -> Iterator[None]:
        """Stop a store for the time of the block; it comes back on its port with its files."""
        store.stop()
        try:
            yield
        finally:
            with store.log.open("ab") as log:
                store.process = subprocess.Popen(
                    store.process.args, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/"
                )
            self.stack.callback(store.stop)
            wait_until(lambda: listens(store.port), what="the store's return")

    @contextmanager
    def process(
        self, name: str, *argv: str, port: int, ready: Callable[[], bool], **env: str
    ) -> Iterator[Server]:
        """Run a process of the workload until the block ends."""
        with running(
            [PROGRAMS / argv[0], *argv[1:]],
            port=port,
            log=self.folder / f"{name}.log",
            ready=ready,
            env={**self.env, **env},
            cwd=FOLDER,
        ) as server:
            yield server


@contextmanager
def start_workload(folder: Path, *, otlp: str | None = None) -> Iterator[Workload]:
    """Run AnalyticBot with all its processes but the traffic, on stores of its own.

    Its spans go to `otlp`, else to a collector that keeps them for the test to see.
    """
    with ExitStack() as stack:
        postgres = stack.enter_context(start_postgres(folder / "pg"))
        redis = stack.enter_context(start_redis(folder / "redis"))
        collector = stack.enter_context(serving(Collector()))
        ports = {name: free_port() for name in ("api", "stub", "control", "bot", "worker", "beat")}
        made = Workload(
            _environment(folder, postgres, redis, ports, otlp or collector.url),
            folder,
            postgres,
            redis,
        )
        made.stack = stack
        made.collector = collector
        made.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        for argv in (("alembic", "upgrade", "head"), ("python", "-m", "apps.seed", "--users=60")):
            done = made.run(*argv)
            assert done.returncode == 0, done.stderr
        for name in ("stub", "control", "api", "bot", "worker", "beat"):
            made.servers[name] = stack.enter_context(_start(made, name, ports[name]))
        yield made


def _environment(
    folder: Path, postgres: Postgres, redis: Server, ports: Mapping[str, int], collector: str
) -> dict[str, str]:
    return {
        "DATABASE_URL": postgres.dsn(DATABASE),
        "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
        "CELERY_BROKER_URL": f"redis://127.0.0.1:{redis.port}/1",
        "CELERY_RESULT_BACKEND": f"redis://127.0.0.1:{redis.port}/2",
        "BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": f"http://127.0.0.1:{ports['stub']}",
        "STUB_PORT": str(ports["stub"]),
        "STUB_UPDATES_PEAK": "5",
        "CONTROL_PORT": str(ports["control"]),
        "API_URL": f"http://127.0.0.1:{ports['api']}",
        "API_SECRET": "test-secret",
        "DB_POOL_SIZE": "3",
        "DB_MAX_OVERFLOW": "2",
        "DB_POOL_TIMEOUT": "1",
        "BOT_POLL_STALL_S": "3",
        "BEAT_INTERVALS": "send_scheduled_message=1,update_post_views_task=2,health_check_task=2",
        "BEAT_SCHEDULE_FILE": str(folder / "beat-schedule"),
        "WORKLOAD_FAULTS": "1",
        "FAULTS_FILE": str(folder / "faults.json"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
    }


CELERY = ("celery", "-A", "infra.celery.celery_app")
COMMANDS = {
    "stub": ("python", "-m", "apps.telegram_stub"),
    "control": ("python", "-m", "apps.control"),
    "bot": ("python", "-m", "apps.bot.run_bot"),
    "worker": (*CELERY, "worker", "--concurrency=2", "--without-mingle", "--without-gossip"),
    "beat": (*CELERY, "beat", "--pidfile="),
}


@contextmanager
def _start(made: Workload, name: str, port: int) -> Iterator[Server]:
    argv = COMMANDS.get(name) or ("uvicorn", "apps.api.main:app", "--port", str(port))
    env = {"METRICS_PORT": str(port)} if name in {"bot", "worker", "beat"} else {}
    with made.process(
        name,
        *argv,
        port=port,
        ready=lambda: listens(port) and answers(f"http://127.0.0.1:{port}/health"),
        **env,
    ) as server:
        yield server
