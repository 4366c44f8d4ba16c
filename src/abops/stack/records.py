"""Who runs, written down: one small file per part, so that a dead supervisor loses no process."""

import signal
from pathlib import Path

import msgspec

from abops.kernel.files import write_atomic
from abops.stack import processes
from abops.stack.layout import Layout
from abops.stack.part import Part
from abops.stack.processes import Identity


class Record(msgspec.Struct, frozen=True):
    """A running part and how it is stopped."""

    part: str
    identity: Identity
    stop_signal: int = signal.SIGTERM
    stop_grace_s: float = 10.0
    stops_first: bool = False
    fingerprint: str = ""
    """Of the declaration that it was started from."""


def write_record(layout: Layout, part: Part, identity: Identity, fingerprint: str) -> None:
    """Write down that `part` runs as `identity`."""
    record = Record(
        part=part.name,
        identity=identity,
        stop_signal=part.stop_signal,
        stop_grace_s=part.stop_grace_s,
        stops_first=part.stops_first,
        fingerprint=fingerprint,
    )
    write_atomic(_path(layout, part.name), msgspec.json.encode(record), mode=0o600)


def remove_record(layout: Layout, part: str) -> None:
    """Forget a part that has ended."""
    _path(layout, part).unlink(missing_ok=True)


def read_records(layout: Layout) -> dict[str, Record]:
    """Return the records of the processes that still run, by part; the others are removed."""
    found: dict[str, Record] = {}
    if not layout.records.is_dir():
        return found
    for path in sorted(layout.records.glob("*.json")):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError):
            continue
        if processes.is_alive(record.identity):
            found[record.part] = record
        else:
            path.unlink(missing_ok=True)
    return found


def _path(layout: Layout, part: str) -> Path:
    return layout.records / f"{part}.json"
