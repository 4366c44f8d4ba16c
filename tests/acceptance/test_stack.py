"""The whole platform on real servers: up, unchanged by a second up, mended, paged for, down.

One stack for the module, in a folder and on ports of its own. As root the folder lies where
PostgreSQL's user cannot reach, as a checkout in a private home does.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from abops.clients.inbox import Inbox
from abops.kernel.clock import SystemClock
from abops.stack import processes
from abops.stack.cluster import FOLDER
from abops.stack.layout import Layout
from support.servers import wait_until

ROOT = Path(__file__).parents[2]
ABOPS = Path(sys.executable).with_name("abops")
UP_S, DOWN_S, AGAIN_S = 120, 90, 3.0

pytestmark = pytest.mark.slow


class Stack:
    """A stack of this module, asked as a person asks it."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(ROOT, folder)

    def run(self, *words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ABOPS, "stack", *words],
            cwd=ROOT,
            env={**os.environ, "ABOPS_STACK_DIR": str(self.layout.state)},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def status(self) -> dict[str, dict[str, Any]]:
        rows = json.loads(self.run("status", "--output", "json").stdout)
        return {row["part"]: row for row in rows}

    def port(self, name: str) -> int:
        ports: dict[str, int] = json.loads(self.layout.ports_file.read_text())
        return ports[name]

    def left(self) -> dict[processes.Identity, str]:
        home = (self.layout.state / FOLDER).resolve()
        return processes.marked(self.layout.stack_id, below=home)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("platform") / "stack"
    yield made
    Stack(made).run("down", "--purge", "--yes", timeout_s=DOWN_S)


@pytest.fixture
def stack(folder: Path) -> Stack:
    """Return the module's stack, running: what an earlier test took down is up again."""
    found = Stack(folder)
    up = found.run("up", "--free-ports", timeout_s=UP_S)
    assert 0 == up.returncode, up.stdout + up.stderr
    return found


def test_every_part_is_healthy(stack: Stack) -> None:
    status = stack.run("status")

    assert 0 == status.returncode, status.stdout + status.stderr
    assert {"ready", "done"} >= {row["state"] for row in stack.status().values()} - {"missing"}


def test_a_second_up_changes_nothing_and_is_quick(stack: Stack) -> None:
    before = {part: (row["pid"], row["restarts"]) for part, row in stack.status().items()}
    files = {path: path.stat().st_mtime_ns for path in stack.layout.config.rglob("*.*")}
    clock = SystemClock()
    began = clock.monotonic()
    again = stack.run("up")
    took = clock.monotonic() - began

    assert 0 == again.returncode, again.stderr
    assert before == {part: (row["pid"], row["restarts"]) for part, row in stack.status().items()}
    assert files == {path: path.stat().st_mtime_ns for path in stack.layout.config.rglob("*.*")}
    assert took < AGAIN_S


def test_everything_listens_on_the_loopback_only(stack: Stack) -> None:
    pids = {identity.pid for identity in stack.left()}
    inodes = {inode for pid in pids for inode in _sockets_of(pid)}

    assert set() == {address for address, inode in _listening() if inode in inodes} - {"127.0.0.1"}


def _sockets_of(pid: int) -> Iterator[str]:
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(handle.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def _listening() -> Iterator[tuple[str, str]]:
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                raw = bytes.fromhex(fields[1].partition(":")[0])
                words = [raw[i : i + 4][::-1] for i in range(0, len(raw), 4)]
                yield socket.inet_ntop(family, b"".join(words)), fields[9]


def test_no_secret_shows_in_the_process_list_or_in_a_log(stack: Stack) -> None:
    names = ("postgres", "postgres-reader", "ingest", "slack", "pd-dev", "telegram", "smtp")
    secrets = [(stack.layout.secrets / name).read_bytes() for name in names]
    commands = [Path(f"/proc/{i.pid}/cmdline").read_bytes() for i in stack.left()]
    logs = [log.read_bytes() for log in stack.layout.logs.glob("*.log")]

    assert [] == [secret for secret in secrets for text in commands + logs if secret in text]


def test_a_killed_part_is_started_again_and_counted(stack: Stack) -> None:
    before = stack.status()["redis-exporter"]
    os.kill(before["pid"], signal.SIGKILL)

    def is_back() -> bool:
        row = stack.status()["redis-exporter"]
        return bool(row["state"] == "ready" and row["pid"] != before["pid"])

    wait_until(is_back, timeout_s=20, what="a new process that is ready")
    assert before["restarts"] + 1 == stack.status()["redis-exporter"]["restarts"]


def test_a_killed_database_comes_back_with_its_data(stack: Stack) -> None:
    before = stack.status()["postgres"]
    os.kill(before["pid"], signal.SIGKILL)

    def is_back() -> bool:
        row = stack.status()["postgres"]
        return bool(row["state"] == "ready" and row["pid"] != before["pid"] and row["healthy"])

    wait_until(is_back, timeout_s=30, what="a database that answers")


def test_the_api_is_stopped_and_people_are_paged(stack: Stack) -> None:
    token = (stack.layout.secrets / "respond").read_text().strip()
    url = f"http://127.0.0.1:{stack.port('alerts')}/v1/incidents"

    def is_quiet() -> bool:
        answer = httpx2.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        return all(incident["state"] == "resolved" for incident in answer.json())

    wait_until(is_quiet, timeout_s=120, what="what came before is over")
    began = SystemClock().now().timestamp()
    assert 0 == stack.run("stop", "api", "--signal", "KILL").returncode

    with closing(Inbox(f"http://127.0.0.1:{stack.port('channels-inbox')}")) as inbox:

        def paged() -> set[str]:
            found = [m for m in inbox.received() if m.at_s >= began and "api" in m.summary]
            return {message.channel for message in found}

        wait_until(lambda: paged() >= {"pagerduty", "slack"}, timeout_s=60, what="both pages")
    assert 0 == stack.run("start", "api").returncode


def test_a_table_that_is_dropped_comes_back_whole(stack: Stack) -> None:
    done = subprocess.run(
        [ABOPS, "demo", "--fault", "table-dropped", "--output", "json"],
        cwd=ROOT,
        env={**os.environ, "ABOPS_STACK_DIR": str(stack.layout.state)},
        capture_output=True,
        text=True,
        timeout=UP_S,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    (row,) = json.loads(done.stdout)
    assert (10_500, 0) == (row["rows"], row["rows_lost"])


def test_a_supervisor_that_was_killed_is_replaced_and_the_parts_live_on(stack: Stack) -> None:
    before = stack.status()
    os.kill(_supervisor(stack), signal.SIGKILL)
    told = {row["state"] for row in stack.status().values() if row["pid"]}
    again = stack.run("up", timeout_s=UP_S)

    assert {"unsupervised"} == told
    assert 0 == again.returncode, again.stderr
    servers = {part for part, row in before.items() if row["pid"]}
    after = stack.status()
    assert {p: before[p]["pid"] for p in servers} == {p: after[p]["pid"] for p in servers}


def _supervisor(stack: Stack) -> int:
    return int((stack.layout.state / "supervisor.lock").read_text())


def test_down_leaves_no_process_and_no_socket_even_without_a_supervisor(stack: Stack) -> None:
    os.kill(_supervisor(stack), signal.SIGKILL)
    down = stack.run("down", timeout_s=DOWN_S)

    assert 0 == down.returncode, down.stderr
    assert {} == stack.left()
    home = (stack.layout.state / FOLDER).resolve()
    folders = (stack.layout.state, home)
    assert [] == [path for folder in folders for path in folder.rglob("*") if path.is_socket()]
    assert (home / "data" / "PG_VERSION").is_file()
