"""The writer's thread: what it promises to those who hand it work."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from abops.alerts.model import AlertEvent
from abops.alerts.store import database
from abops.alerts.store.database import Connection, StoreUnavailableError
from abops.alerts.store.writer import Unit, Writer
from abops.kernel.clock import SystemClock
from abops.kernel.errors import OpsError


class NoIncidents:
    def __init__(self) -> None:
        self.loads = 0

    def load(self, connection: Connection, now: float) -> None:
        del connection, now
        self.loads += 1

    def apply(self, unit: Unit, events: Sequence[AlertEvent]) -> None:
        del unit, events


@pytest.fixture
def state() -> NoIncidents:
    return NoIncidents()


@pytest.fixture
def writer(tmp_path: Path, state: NoIncidents) -> Iterator[Writer]:
    engine = database.open_writer(tmp_path / "alerts.db")
    database.migrate(engine)
    writer = Writer(engine, state, SystemClock(), lambda _unit: None)
    writer.start()
    yield writer
    writer.stop()
    engine.dispose()


def add(name: str, unit: Unit) -> None:
    unit.connection.exec_driver_sql("INSERT INTO counter (name, value) VALUES (?, 1)", (name,))


def count(unit: Unit) -> int:
    found = unit.connection.exec_driver_sql("SELECT count(*) FROM counter")
    return int(found.scalar_one())


def test_work_that_has_begun_cannot_be_cancelled(writer: Writer) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(unit: Unit) -> None:
        begun.set()
        go_on.wait(5)
        add("a", unit)

    future = writer.do(work)
    assert begun.wait(5)
    assert not future.cancel()
    go_on.set()
    assert future.result(5) is None
    assert 1 == writer.do(count).result(5)


def test_a_refusal_is_its_callers_and_leaves_the_rest(writer: Writer) -> None:
    class RefusedError(OpsError):
        """No."""

    def refuse(_unit: Unit) -> None:
        raise RefusedError

    futures = [writer.do(lambda unit: add("a", unit)), writer.do(refuse)]
    with pytest.raises(RefusedError):
        futures[1].result(5)
    assert futures[0].result(5) is None
    assert 1 == writer.do(count).result(5)


def test_a_failure_writes_nothing_and_the_state_is_read_back(
    writer: Writer, state: NoIncidents
) -> None:
    assert 0 == writer.do(count).result(5)
    loads = state.loads

    def break_it(unit: Unit) -> None:
        add("a", unit)
        raise ValueError

    with pytest.raises(StoreUnavailableError):
        writer.do(break_it).result(5)
    assert 0 == writer.do(count).result(5)
    assert loads + 1 == state.loads
    assert "" == writer.failure
