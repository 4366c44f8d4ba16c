"""The trace that a run leaves in the catalog: before it begins, and however it ends."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from abops.backup.model import Destination, SetFacts
from abops.backup.schedule.agenda import BACKUPS
from abops.backup.schedule.place import run_id
from abops.backup.store.database import Catalog
from abops.backup.store.entries import Condition, get, of, put
from abops.backup.store.records import Run, RunState, Verdict
from abops.backup.store.schema import run as run_table
from abops.backup.store.schema import verdict as verdict_table
from abops.backup.store.sets import sets
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError


@dataclass
class Entry:
    """A run under way; what it made is written in by whoever makes it."""

    run: Run
    label: str = ""


class Journal:
    """Writes runs down."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    @contextmanager
    def run(
        self, place: Destination, kind: str, reason: str, planned: Run | None = None
    ) -> Iterator[Entry]:
        """Note a run while the block makes it: it succeeded when the block ends well."""
        now = self._clock.now().timestamp()
        run = planned or Run(
            id=run_id(place.name, kind, now), destination=place.name, kind=kind, planned=now
        )
        with self.carry(
            msgspec.structs.replace(run, kind=kind, reason=run.reason or reason)
        ) as entry:
            yield entry

    @contextmanager
    def carry(self, run: Run) -> Iterator[Entry]:
        """Note a planned run while the block makes it, as `run` does."""
        now = self._clock.now().timestamp()
        entry = Entry(msgspec.structs.replace(run, state="running", started=now, ended=None))
        self._put(entry.run)
        try:
            yield entry
        except OpsError as error:
            self._end(entry, "failed", str(error))
            raise
        except Exception as error:
            # A defect of ours is a failed run as well, and waits like one.
            self._end(entry, "failed", f"unexpected: {type(error).__name__}")
            raise
        except BaseException:
            self._end(entry, "interrupted", "it was ended from outside")
            raise
        self._end(entry, "success")

    def close_cut_off(self, place: Destination) -> None:
        """Note the end of backups whose process is gone; for who holds the destination's lock."""
        self._close(run_table.c.destination == place.name, run_table.c.kind.in_(BACKUPS))
        with self._catalog.read() as connection:
            kept = sets(connection, place.name, place.generation)
        self.adopt(kept)

    def close_others(self, holder: str) -> None:
        """Note the end of what is no backup and was begun by schedulers before `holder`'s lead."""
        others = run_table.c.holder.not_in(["", holder])
        self._close(run_table.c.kind.not_in(BACKUPS), others)

    def _close(self, *where: Condition) -> None:
        with self._catalog.write() as connection:
            left = get(connection, Run, run_table.c.state == "running", *where)
            now = self._clock.now().timestamp()
            gone = [
                msgspec.structs.replace(
                    one, state="interrupted", ended=now, error="its process is gone"
                )
                for one in left
            ]
            put(connection, *gone)

    def adopt(self, sets: Iterable[SetFacts]) -> None:
        """Note that runs succeeded whose engine outlived them: the set that they began is there."""
        made = {one.run: one for one in sets if one.run}
        with self._catalog.write() as connection:
            left = get(
                connection,
                Run,
                run_table.c.id.in_(made),
                run_table.c.state.in_(["interrupted", "failed"]),
            )
            put(
                connection,
                *(
                    msgspec.structs.replace(
                        one,
                        state="success",
                        error="",
                        label=made[one.id].label,
                        ended=made[one.id].stopped,
                    )
                    for one in left
                ),
            )

    def note_missed(self, runs: Iterable[Run]) -> None:
        """Note runs that nobody began."""
        with self._catalog.write() as connection:
            put(connection, *runs)

    def runs(self, since: float) -> tuple[Run, ...]:
        """Return the runs that were planned since then, and all that are under way."""
        lately = (run_table.c.planned >= since) | (run_table.c.state == "running")
        with self._catalog.read() as connection:
            return get(connection, Run, lately)

    def broken(self, place: Destination) -> dict[str, float]:
        """Return the sets that the last check found broken, and when it did."""
        with self._catalog.read() as connection:
            found = get(connection, Verdict, *of(Verdict, place), verdict_table.c.valid.is_(False))
        return {one.label: one.at for one in found}

    def last(self, place: Destination) -> Run | None:
        """Return the backup of a destination that was begun last."""
        with self._catalog.read() as connection:
            found = get(
                connection,
                Run,
                run_table.c.destination == place.name,
                run_table.c.kind.in_(BACKUPS),
                newest="started",
                limit=1,
            )
        return found[0] if found else None

    def _end(self, entry: Entry, state: RunState, error: str = "") -> None:
        now = self._clock.now().timestamp()
        self._put(
            msgspec.structs.replace(
                entry.run, state=state, ended=now, label=entry.label, error=error
            )
        )

    def _put(self, run: Run) -> None:
        with self._catalog.write() as connection:
            put(connection, run)
