"""The memory of the channel servers: what was received, what broke a limit, and when.

Every record is appended to a file before its sender gets an answer, so a restart shows the same
history; the file is rewritten when it has grown to twice what is kept. A record never carries a
secret: the providers' modules take tokens and keys out before they record.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from abops.kernel.clock import Clock
from abops.kernel.files import write_atomic

KEPT = 5_000  # records of each kind; at one page a minute these are three days and a half


class Received(msgspec.Struct, frozen=True):
    """One message that a channel accepted."""

    number: int
    received_at: str
    received_epoch_s: float
    channel: str
    action: str  # the provider's word: chat.postMessage, trigger, sendMessage, message
    destination: str
    severity: str | None
    summary: str
    payload: dict[str, Any]
    answer: dict[str, Any]


class Violation(msgspec.Struct, frozen=True):
    """One request that the provider would have refused.

    `kind` is "limit" when a documented limit was broken, "refused" for anything else that the
    sender did wrong: a bad token, an unknown channel, broken markup.
    """

    number: int
    received_at: str
    received_epoch_s: float
    channel: str
    kind: str
    rule: str
    destination: str
    detail: str


_Record = TypeVar("_Record", Received, Violation)


class _Journal(Generic[_Record]):
    """Records of one kind in memory and, line by line, in a file."""

    def __init__(self, path: Path, record_type: type[_Record], *, kept: int) -> None:
        self._path = path
        self._kept = kept
        self._decoder: msgspec.json.Decoder[_Record] = msgspec.json.Decoder(record_type)
        self.records: deque[_Record] = deque(self._read(), maxlen=kept)
        self._rewrite()  # drops what is too old and a last line that a crash cut short

    def append(self, record: _Record) -> None:
        self.records.append(record)
        if self._lines >= 2 * self._kept:
            self._rewrite()
            return
        with self._path.open("ab") as stream:
            stream.write(msgspec.json.encode(record) + b"\n")
        self._lines += 1

    def keep(self, wanted: Callable[[_Record], bool]) -> None:
        self.records = deque(filter(wanted, self.records), maxlen=self._kept)
        self._rewrite()

    def _read(self) -> Iterator[_Record]:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield self._decoder.decode(line)
            except msgspec.DecodeError:
                continue  # half a line: the process was killed while it wrote

    def _rewrite(self) -> None:
        lines = [msgspec.json.encode(record) + b"\n" for record in self.records]
        write_atomic(self._path, b"".join(lines), mode=0o600)
        self._lines = len(lines)


class Recorder:
    """Everything the channels received, and who waits to hear of more."""

    def __init__(self, folder: Path, clock: Clock, *, kept: int = KEPT) -> None:
        self._clock = clock
        self._received = _Journal(folder / "received.jsonl", Received, kept=kept)
        self._violations = _Journal(folder / "violations.jsonl", Violation, kept=kept)
        numbers = [record.number for record in self._received.records]
        numbers += [violation.number for violation in self._violations.records]
        self._last_number = max(numbers, default=0)
        self._watchers: set[asyncio.Event] = set()
        self.revision = 0

    def receive(  # noqa: PLR0913 - one keyword per field of the record
        self,
        channel: str,
        *,
        action: str,
        destination: str,
        severity: str | None,
        summary: str,
        payload: dict[str, Any],
        answer: dict[str, Any],
    ) -> Received:
        """Remember an accepted message and wake whoever watches."""
        number, received_at, epoch_s = self._stamp()
        record = Received(
            number=number,
            received_at=received_at,
            received_epoch_s=epoch_s,
            channel=channel,
            action=action,
            destination=destination,
            severity=severity,
            summary=summary,
            payload=payload,
            answer=answer,
        )
        self._received.append(record)
        self._changed()
        return record

    def violate(
        self, channel: str, *, kind: str, rule: str, destination: str = "", detail: str = ""
    ) -> None:
        """Remember a refused request."""
        number, received_at, epoch_s = self._stamp()
        self._violations.append(
            Violation(
                number=number,
                received_at=received_at,
                received_epoch_s=epoch_s,
                channel=channel,
                kind=kind,
                rule=rule,
                destination=destination,
                detail=detail,
            )
        )
        self._changed()

    def received(self, channel: str | None = None) -> tuple[Received, ...]:
        """Return what `channel` (None: any) received, oldest first."""
        return tuple(r for r in self._received.records if channel in (None, r.channel))

    def violations(self, channel: str | None = None) -> tuple[Violation, ...]:
        """Return what `channel` (None: any) refused, oldest first."""
        return tuple(v for v in self._violations.records if channel in (None, v.channel))

    def clear(self, channel: str | None = None) -> None:
        """Forget the records of `channel` (None: all)."""
        self._received.keep(lambda r: channel not in (None, r.channel))
        self._violations.keep(lambda v: channel not in (None, v.channel))
        self._changed()

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """Give an event that is set at every change until the block ends."""
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            yield event
        finally:
            self._watchers.discard(event)

    def _changed(self) -> None:
        self.revision += 1
        for event in self._watchers:
            event.set()

    def _stamp(self) -> tuple[int, str, float]:
        self._last_number += 1
        now = self._clock.now()
        return self._last_number, now.isoformat(timespec="milliseconds"), now.timestamp()
