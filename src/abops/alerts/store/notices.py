"""What replicas tell each other through the database, as soon as it is committed.

A notice only saves waiting: who misses one finds the same in the tables a second later.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from abops.alerts.model import ServiceEvent
from abops.clients.postgres import listen

CHANNEL: Final = "abops_alerts"
_EVENTS_A_NOTICE: Final = 60
"""A notice may have 8,000 bytes."""
_APPLICATION: Final = "abops-alerts-listener"


class Notice(Struct, frozen=True, omit_defaults=True):
    """What one transaction means for others."""

    sender: str
    work: bool = False
    """Whether there is something for the leading replica to do."""
    answered: tuple[int, ...] = ()
    """Commands that were carried out or refused."""
    events: tuple[ServiceEvent, ...] = ()
    """What happened to incidents."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Notice).decode


def send(connection: Connection, notice: Notice) -> None:
    """Tell the others, if and when the transaction is committed."""
    for part in _parts(notice):
        connection.exec_driver_sql("SELECT pg_notify(?, ?)", (CHANNEL, _encode(part).decode()))


def _parts(notice: Notice) -> Iterator[Notice]:
    first, *others = _slices(notice.events) or [()]
    yield Notice(notice.sender, notice.work, notice.answered, first)
    for events in others:
        yield Notice(notice.sender, events=events)


def _slices(events: Sequence[ServiceEvent]) -> list[tuple[ServiceEvent, ...]]:
    starts = range(0, len(events), _EVENTS_A_NOTICE)
    return [tuple(events[start : start + _EVENTS_A_NOTICE]) for start in starts]


class Listener:
    """Hears what the other replicas say, in a thread of its own."""

    def __init__(
        self, address: str, replica: str, hear: Callable[[Notice], None], began: Callable[[], None]
    ) -> None:
        self._address = address
        self._replica = replica
        self._hear = hear
        self._began = began
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alert-listener", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Hear no more; ends within a second."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        said = listen(
            self._address, CHANNEL, application=_APPLICATION, stopped=self._stopped.is_set
        )
        for text in said:
            if text is None:
                self._began()
            elif (notice := _understood(text)) is not None and notice.sender != self._replica:
                self._hear(notice)


def _understood(text: str) -> Notice | None:
    """Read a notice; a replica of another version may say what this one does not know."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return None
