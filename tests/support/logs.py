"""A real log store and a real shipper for tests, each on files and ports of its own."""

import contextlib
import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from abops.clients.opensearch import LogStoreError, OpenSearch
from abops.inventory.load import load_inventory
from abops.inventory.model import Inventory
from abops.observability.logs.rsyslog import DEAD_LETTERS, ShipperPlace, rsyslog_config
from abops.observability.logs.search import FoundLine, read_answer
from abops.observability.logs.search import Query as LogQuery
from abops.observability.logs.streams import stream_of, stream_pattern
from abops.stack.tools import ToolMissingError, find_tool
from abops.workflows.logs import prepare_store
from support.console import NOON
from support.servers import Server, answers, free_port, running, wait_until

ROOT = Path(__file__).parents[2]
INVENTORY: Inventory = load_inventory(ROOT / "platform.yaml")


def program(name: str) -> Path:
    """Return a program of the log path, or skip: it may lack where there is no Java."""
    try:
        return find_tool(name)
    except ToolMissingError as missing:
        pytest.skip(f"{missing}; {missing.hint}")


@dataclass
class Store:
    """One OpenSearch that can be stopped and started again with its data."""

    folder: Path
    port: int = field(default_factory=free_port)
    transport: int = field(default_factory=free_port)
    server: Server | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.client = OpenSearch(self.url)

    @property
    def url(self) -> str:
        """Return the store's address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv = [program("opensearch"), self.folder / "data", str(self.port), str(self.transport)]
        self.server = self._stack.enter_context(
            running(
                argv,
                port=self.port,
                log=self.folder / "opensearch.log",
                ready=lambda: answers(f"{self.url}/_cluster/health?wait_for_status=yellow"),
            )
        )

    def stop(self) -> None:
        """Stop it; the data stay."""
        self._stack.close()
        self.server = None

    def lines(self, env: str, *, part: str | None = None) -> list[FoundLine]:
        """Return what the store holds of an environment, in the order of the files."""
        where = stream_of(INVENTORY, part, env) if part else stream_pattern(INVENTORY, env=env)
        self.client.refresh(where)
        answer = self.client.search([where], {"size": 10_000, "sort": ["log.offset"]})
        return list(read_answer(INVENTORY, answer, LogQuery(), NOON).lines)

    def await_lines(self, env: str, count: int, *, part: str = "api") -> list[FoundLine]:
        """Wait until the stream of a part holds `count` lines, and return them."""
        self.await_count(env, count, part=part)
        return self.lines(env, part=part)

    def await_count(self, env: str, count: int, *, part: str = "api") -> None:
        """Wait until the stream of a part holds `count` lines."""
        stream = stream_of(INVENTORY, part, env)
        wait_until(
            lambda: self._count(stream) >= count, timeout_s=60, what=f"{count} lines in {stream}"
        )

    def _count(self, stream: str) -> int:
        try:
            self.client.refresh(stream)
            return self.client.count([stream])
        except LogStoreError:
            return 0  # its index is being made, or is not read yet after a start


@dataclass
class Shipper:
    """One rsyslog: its folder of logs, its state, and what it could not deliver."""

    store: Store
    folder: Path
    env: str = field(default_factory=lambda: f"t{secrets.token_hex(4)}")
    logs: Path = Path()

    def __post_init__(self) -> None:
        self.logs = self.folder / "logs" if self.logs == Path() else self.logs
        self.logs.mkdir(parents=True, exist_ok=True)
        (self.folder / "state").mkdir(parents=True, exist_ok=True)

    def write(self, *lines: str | bytes | dict[str, Any], part: str = "api") -> None:
        """Append lines to a part's log."""
        raw = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
        with (self.logs / f"{part}.log").open("ab") as log:
            for line in raw:
                log.write((line if isinstance(line, bytes) else line.encode()) + b"\n")

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return what the store refused."""
        file = self.folder / "state" / DEAD_LETTERS
        text = file.read_text() if file.is_file() else ""
        return [json.loads(line) for line in text.splitlines()]

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Ship until the block ends."""
        state = self.folder / "state"
        place = ShipperPlace(
            self.env, logs=str(self.logs), state=str(state), host="127.0.0.1", port=self.store.port
        )
        config = self.folder / "rsyslog.conf"
        config.write_text(rsyslog_config(INVENTORY, place))
        argv = [program("rsyslogd"), "-n", "-f", config, "-i", state / "pid"]
        log = self.folder / "rsyslog.log"
        ready = (state / "pid").exists
        with contextlib.suppress(FileNotFoundError):
            (state / "pid").unlink()
        with running(argv, port=0, log=log, ready=ready) as server:
            yield server


@contextmanager
def start_store(folder: Path) -> Iterator[Store]:
    """Run an OpenSearch that is ready for log lines."""
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder)
    try:
        store.start()
        prepare_store(store.client, INVENTORY)
        yield store
    finally:
        store.stop()
        store.client.close()
