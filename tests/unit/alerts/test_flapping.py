"""An alert that comes and goes is told once, counted, and told once more when it has settled."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from abops.alerts.ingest.identity import event_key, fingerprint
from abops.alerts.model import AlertEvent, AlertStatus, Channel, Route, Routing, ServiceConfig, Team
from abops.alerts.service.incidents import Incidents
from abops.alerts.store import events as event_rows
from abops.alerts.store import reading
from abops.alerts.store.database import migrate, open_writer
from abops.alerts.store.writer import Unit
from abops.kernel.clock import moment

NOON = 1_795_608_000.0
LABELS = {"alertname": "LinkDown", "severity": "warning", "service": "api", "env": "local"}


class Link:
    """One alert, its incident and their store."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        routing = Routing(
            public_url="http://127.0.0.1:9600",
            channels={"chat": Channel("chat", "slack")},
            teams={"dev": Team("dev", page="chat", chat="chat")},
            routes=(Route("", (), ("chat",)),),
        )
        self.engine = engine
        self.config = ServiceConfig(env="local", routing=routing, data_dir=folder)
        self.began = 0.0
        self.restart()

    def restart(self) -> None:
        self.state = Incidents(self.config)
        with self.engine.begin() as connection:
            self.state.load(connection, NOON)

    def says(self, at_s: float, status: AlertStatus) -> None:
        if status == "firing":
            self.began = at_s
        begun, ended = moment(NOON + self.began), moment(NOON + at_s)
        ends_at = None if status == "firing" else ended
        identity = fingerprint(LABELS, ())
        key = event_key(identity, status, begun, ends_at)
        event = AlertEvent(key, identity, status, dict(LABELS), {}, begun, ends_at)
        with self.engine.begin() as connection:
            unit = Unit(connection, NOON + at_s)
            first = event_rows.last_event_id(connection) + 1
            event_rows.insert_events(connection, [event], first_id=first, received_at=unit.now)
            self.state.apply(unit, [event])

    def flaps(self, times: int, at_s: float = 0.0) -> float:
        for n in range(times):
            self.says(at_s + 60 * n, "firing")
            self.says(at_s + 60 * n + 30, "resolved")
        return at_s + 60 * times

    def tick(self, at_s: float) -> None:
        with self.engine.begin() as connection:
            self.state.flapping.tick(Unit(connection, NOON + at_s))

    def shown(self) -> tuple[bool, int]:
        with self.engine.connect() as connection:
            detail = reading.incident(connection, 1, members=1)
        assert detail is not None
        return detail.members[0].alert.flapping, detail.members[0].alert.changes

    def notes(self) -> list[str]:
        with self.engine.connect() as connection:
            detail = reading.incident(connection, 1, members=1)
        assert detail is not None
        return [entry.text for entry in detail.timeline if entry.kind == "note"]


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    engine = open_writer(tmp_path / "alerts.db")
    migrate(engine)
    yield Link(engine, tmp_path)
    engine.dispose()


def test_one_that_comes_back_twice_does_not_flap(link: Link) -> None:
    link.flaps(3)
    assert (False, 0) == link.shown()


def test_one_that_comes_and_goes_is_told_once_and_counted(link: Link) -> None:
    link.flaps(15)
    flapping, counted = link.shown()
    assert flapping
    assert counted > 5
    assert 1 == len(link.notes())


def test_a_restart_goes_on_counting(link: Link) -> None:
    end = link.flaps(15)
    _, before = link.shown()
    link.restart()
    link.flaps(2, end)
    assert (True, before + 4) == link.shown()
    assert 1 == len(link.notes())


def test_one_that_was_quiet_has_settled(link: Link) -> None:
    end = link.flaps(15)
    link.tick(end + 60)
    assert link.shown()[0]
    link.tick(end + 3_600)
    assert (False, 0) == link.shown()
    assert "has settled" in link.notes()[-1]
