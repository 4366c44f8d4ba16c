"""What the benchmarks of the alert service share: the real service process, load, a recorder.

The service runs as its own process, on one core if asked to, with a real database on disk. The
load comes from this process over kept-alive connections. The channels are played by a recorder
that takes everything at once, so that what is measured is the service.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stores import Asking, Store, a_store

from abops.kernel.clock import SystemClock

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
START_S = 30.0
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Recorder:
    """Takes whatever is posted, and answers as Slack, PagerDuty or Telegram would."""

    port: int = field(default_factory=free_port)
    pages: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Triggers received, by routing_key and dedup_key."""
    posts: int = 0

    def start(self) -> None:
        """Listen in a thread of its own."""
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True).start()
        ready.wait()

    async def _serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._talk, HOST, self.port)
        ready.set()
        async with server:
            await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
                body = await reader.readexactly(length)
                path = head.split(" ", 2)[1]
                status, answer = self._answer(path, body)
                content = json.dumps(answer).encode()
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(content)}\r\n\r\n".encode()
                    + content
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str, body: bytes) -> tuple[str, dict[str, object]]:
        if path.startswith("/v2/enqueue"):
            event = json.loads(body)
            if event["event_action"] == "trigger":
                self.pages[event["routing_key"], event["dedup_key"]] += 1
            return "202 Accepted", {"status": "success", "dedup_key": event["dedup_key"]}
        self.posts += 1
        if "/bot" in path:
            return "200 OK", {"ok": True, "result": {"message_id": self.posts}}
        return "200 OK", {"ok": True, "channel": "C0OPS", "ts": f"{self.posts}.0"}


@dataclass
class Service:
    """The alert service under test."""

    folder: Path
    recorder: Recorder
    core: int | None
    port: int = field(default_factory=free_port)
    store: Store = field(default_factory=lambda: Store("sqlite"))
    inventory: Path = ROOT / "platform.yaml"
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def database(self) -> Path:
        """The file of its store."""
        return self.folder / "data" / "alerts.db"

    @property
    def _pid(self) -> int:
        return self.process.pid if self.process else 0

    def prepare(self) -> None:
        """Write secrets and endpoints."""
        keys = ("pd-dev", "pd-devops", "pd-management")
        for name in ("slack", *keys, "telegram", "smtp"):
            self._write(f"secrets/{name}", f"secret-of-{name}")
        self._write("secrets/ingest", self.token)
        self._write("store", self.store.address)
        base = f"http://{HOST}:{self.recorder.port}"
        endpoints = {
            "slack_api_url": f"{base}/api/",
            "pagerduty_url": f"{base}/v2/enqueue",
            "telegram_url": base,
            "secrets_dir": str(self.folder / "secrets"),
        }
        self._write("endpoints.json", json.dumps(endpoints))

    def _write(self, name: str, content: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o600)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        argv = [] if self.core is None else ["taskset", "-c", str(self.core)]
        argv += [str(Path(sys.executable).with_name("abops")), "alerts", "serve"]
        argv += ["--inventory", str(self.inventory), "--env", "local"]
        argv += ["--port", str(self.port), "--data-dir", str(self.folder / "data")]
        argv += ["--endpoints", str(self.folder / "endpoints.json")]
        if self.store.address:
            argv += ["--store-file", str(self.folder / "store")]
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)  # noqa: S603 - our own
        deadline = time.monotonic() + START_S
        while not self._ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit((self.folder / "service.log").read_text()[-2000:])
            time.sleep(0.02)

    def _ready(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), 1) as link:
                link.sendall(f"GET /readyz HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                return b" 200 " in link.recv(64)
        except OSError:
            return False

    def stop(self, sig: int = signal.SIGTERM) -> None:
        """End it by this signal and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(30)

    @contextmanager
    def asking(self) -> Iterator[Asking]:
        """Give a connection that reads its store."""
        with self.store.asking(self.database) as ask:
            yield ask

    def leads(self) -> bool:
        """Tell whether it keeps the incidents, as it says itself."""
        try:
            with socket.create_connection((HOST, self.port), 1) as link:
                link.sendall(f"GET /metrics HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
                text = b"".join(iter(lambda: link.recv(65_536), b""))
        except OSError:
            return False
        return b"\nabops_alerts_leads 1.0" in text

    def cpu_s(self) -> float:
        """Return the CPU seconds it has used."""
        stat = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def memory_mib(self) -> float:
        """Return its resident memory."""
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def service(*, core: int | None = None, store: str = "sqlite") -> Iterator[Service]:
    """Run the service in a temporary folder until the block ends."""
    with replicas(1, core=core, store=store) as (running,):
        yield running


@contextmanager
def replicas(
    count: int, *, core: int | None = None, store: str = "sqlite", inventory: str = ""
) -> Iterator[tuple[Service, ...]]:
    """Run services that share a store, the first of which leads, until the block ends.

    `inventory` is the text of another one than the shipped.
    """
    recorder = Recorder()
    recorder.start()
    with (
        a_store(store) as place,
        tempfile.TemporaryDirectory(prefix="abops-bench-") as folder,
        ExitStack() as running,
    ):
        file = ROOT / "platform.yaml"
        if inventory:
            file = Path(folder, "platform.yaml")
            file.write_text(inventory)
        token = secrets.token_hex(16)
        found = []
        for number in range(count):
            one = Service(
                Path(folder, str(number)), recorder, core, store=place, inventory=file, token=token
            )
            one.prepare()
            running.callback(one.stop)
            one.start()
            found.append(one)
        yield tuple(found)


def a_body(
    first: int,
    count: int,
    *,
    service_of: Callable[[int], int] = lambda number: number % 20,
    env_of: Callable[[int], str] = lambda _: "production",
    critical_every: int = 500,
) -> bytes:
    """Return a webhook body of `count` distinct alerts, as Alertmanager would send it."""
    now = SystemClock().now().isoformat()
    alerts = [
        {
            "status": "firing",
            "labels": {
                "alertname": f"PodNotReady{number % 7}",
                "cluster": "eu-central-1",
                "container": "main",
                "env": env_of(number),
                "instance": f"10.1.{number // 250 % 250}.{number % 250}:8080",
                "number": str(number),
                "pod": f"service-{service_of(number)}-7d9f8b6c5-x{number:06d}",
                "service": f"service-{service_of(number)}",
                "severity": "critical" if number % critical_every == 0 else "warning",
            },
            "annotations": {
                "summary": f"pod {number} has not been ready for 5 minutes",
                "description": "The readiness probe fails; traffic goes to the other replicas.",
                "runbook_url": "https://runbooks.example.org/PodNotReady",
            },
            "startsAt": now,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.org/graph?g0.expr=up+%3D%3D+0",
            "fingerprint": f"{number:016x}",
        }
        for number in range(first, first + count)
    ]
    return json.dumps(
        {"version": "4", "receiver": "service", "status": "firing", "alerts": alerts}
    ).encode()


class Link:
    """One kept-alive connection to the service."""

    def __init__(self, target: Service) -> None:
        self._target = target
        self._head = (
            f"POST /v1/alertmanager HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer"
            f" {target.token}\r\nContent-Type: application/json\r\nContent-Length: "
        )
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, body: bytes) -> int:
        """Send one body; return the status. Raises ConnectionError."""
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(HOST, self._target.port)
        try:
            self._writer.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
            await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            self.close()
            raise ConnectionError(str(error)) from error
        return int(head.split(" ", 2)[1])

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
