"""Who looks after the log path: says how it is, makes good what was lost, keeps it small.

Metrics every half minute, the comparison with the files every hour, the daily job once a day.
While the store is down nothing is lost: its turn comes when it answers again.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from abops.clients.opensearch import LogStoreError, OpenSearch
from abops.inventory.model import Inventory
from abops.kernel.clock import Clock
from abops.kernel.files import write_atomic
from abops.observability.logs.identity import Line, document_id, read_lines
from abops.observability.logs.metrics import PathState, exposition
from abops.observability.logs.search import Query
from abops.observability.logs.streams import sources, stream_of, stream_pattern
from abops.workflows.logs import find, keep_house, reconcile

METRICS_EVERY_S = 30.0
COMPARE_EVERY = timedelta(hours=1)
TIDY_EVERY = timedelta(days=1)
TAIL_LINES = 200
TAIL_BYTES = 256 * 1024
RECENT = timedelta(minutes=5)


class Place(Struct, frozen=True):
    """What the keeper looks at, and where it says how it is."""

    folder: Path
    env: str
    dead_letters: Path
    metrics: Path | None


class LogKeeper:
    """Looks after one log path."""

    def __init__(
        self,
        store: OpenSearch,
        inventory: Inventory,
        place: Place,
        *,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._place = place
        self._clock = clock
        self._tell = tell
        # The shipper gets a while to catch up by itself.
        self._compare_at = clock.now() + RECENT
        self._tidy_at = clock.now()

    def run(self, over: threading.Event) -> None:
        """Go on until `over`; then take the figures away: frozen ones would look like true ones."""
        try:
            while not over.is_set():
                self.step()
                over.wait(METRICS_EVERY_S)
        finally:
            if self._place.metrics is not None:
                self._place.metrics.unlink(missing_ok=True)

    def step(self) -> PathState:
        """Do what is due now."""
        now = self._clock.now()
        try:
            if now >= self._tidy_at:
                done = keep_house(self._store, self._inventory, now)
                self._tidy_at = now + TIDY_EVERY
                self._tell(f"{len(done.roll)} streams rolled over, {len(done.delete)} deleted")
            if now >= self._compare_at:
                self._compare()
                self._compare_at = now + COMPARE_EVERY
            state = self._look(now)
        except LogStoreError as error:
            self._tell(f"the log store is not there: {error}")
            state = PathState(up=False, dead_letters=self._dead_letters())
        if self._place.metrics is not None:
            write_atomic(self._place.metrics, exposition(state))
        return state

    def _compare(self) -> None:
        place = self._place
        for count in reconcile(self._store, self._inventory, place.folder, place.env, send=True):
            if count.missing:
                self._tell(
                    f"{count.file}: {count.missing} of {count.lines} lines were missing,"
                    f" {count.sent} sent, {len(count.refused)} refused"
                )

    def _look(self, now: datetime) -> PathState:
        self._store.refresh(stream_pattern(self._inventory, env=self._place.env))
        unshipped: dict[str, int] = {}
        oldest = now
        for source in sources(self._inventory):
            file = self._place.folder / f"{source.part}.log"
            if not file.is_file():
                continue
            by_id = {document_id(source.part, line): line for line in _tail(file)}
            stream = stream_of(self._inventory, source.part, self._place.env)
            lacking = by_id.keys() - self._store.existing(stream, by_id)
            unshipped[source.part] = len(lacking)
            if lacking:
                oldest = min(oldest, *(_time_of(by_id[name], file) for name in lacking))
        query = Query(since=now - RECENT, env=self._place.env, size=0)
        bad = replace(query, level="error")
        return PathState(
            up=True,
            status=self._store.health(),
            disk_used_ratio=self._store.disk_used_ratio(),
            unshipped=unshipped,
            lag_s=(now - oldest).total_seconds(),
            lines=find(self._store, self._inventory, query, now).parts,
            errors=find(self._store, self._inventory, bad, now).parts,
            dead_letters=self._dead_letters(),
        )

    def _dead_letters(self) -> int:
        file = self._place.dead_letters
        return sum(1 for _ in read_lines(file)) if file.is_file() else 0


def _tail(file: Path) -> deque[Line]:
    return deque(read_lines(file, last_bytes=TAIL_BYTES), maxlen=TAIL_LINES)


def _time_of(line: Line, file: Path) -> datetime:
    """Return when a line was written; where it does not say, when its file was."""
    try:
        return datetime.fromisoformat(json.loads(line.text)["@timestamp"]).astimezone(UTC)
    except (ValueError, TypeError, KeyError):
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
