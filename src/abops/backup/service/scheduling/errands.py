"""What each kind of run does. Each raises an error when it failed; its row is written around it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from abops.backup.drill.evidence import read_evidence
from abops.backup.drill.run import drill, next_kind
from abops.backup.model import Destination, Home, Site
from abops.backup.schedule.agenda import BACKUPS
from abops.backup.schedule.place import Due
from abops.backup.service.configuration import ConfigurationService
from abops.backup.service.mirroring import MirrorService
from abops.backup.service.retaining import RetentionService
from abops.backup.service.run import BackupService, Wanted
from abops.backup.service.verifying import Verification
from abops.backup.store.records import Run, RunState
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

Gather = Callable[[], Awaitable[Mapping[str, bytes]]]
"""Returns what goes into a bundle beside the home."""
HOLDING: Final = BACKUPS | {"verify", "retain"}
"""What has its destination in hand while it runs."""


class RunFailedError(OpsError):
    """A planned run did not do what it was for."""

    hint = "abops backup status tells how each destination stands; the runbook BackupFailed helps."


def run_of(due: Due, holder: str, state: RunState = "running") -> Run:
    """Return the row of a run that its scheduler begins, or that nobody began."""
    return Run(
        id=due.id,
        destination=due.destination,
        kind=due.kind,
        planned=due.planned,
        reason=due.reason,
        attempt=due.attempt,
        state=state,
        holder=holder,
    )


class Errands:
    """Carries runs out for one home; `site` is as of now, it may be another than an hour ago."""

    def __init__(self, home: Home, site: Site, clock: Clock, gather: Gather) -> None:
        self.service = BackupService(home, site, clock=clock)
        self._home, self._site, self._clock, self._gather = home, site, clock, gather

    async def go(self, due: Due, holder: str) -> str:
        """Carry a run out and return what came of it; its row tells the same.

        Raises RunHeldError when somebody else has the destination in hand, RunFailedError or the
        error itself otherwise.
        """
        run = run_of(due, holder)
        if due.kind in BACKUPS:
            return await self._backup(due, run)
        if due.kind == "retain":
            return await self._retain(due, run)
        work = {
            "verify": self._verify,
            "drill": self._drill,
            "config": self._save,
            "mirror": self._mirror,
        }[due.kind]
        with self.service.journal.carry(run) as entry:
            entry.label = await work(due)
            return entry.label

    async def _backup(self, due: Due, run: Run) -> str:
        kind: Wanted = "full" if due.kind == "full" else "incr"
        made = await self.service.run(self._place(due.destination), kind, planned=run)
        if made.outcome == "failed":
            raise RunFailedError(made.error, hint=made.hint or RunFailedError.hint)
        return made.label

    async def _retain(self, due: Due, run: Run) -> str:
        service = RetentionService(self._home, self._site, clock=self._clock)
        done = await service.run(self._place(due.destination), planned=run)
        if done.outcome == "failed":
            raise RunFailedError(done.error, hint=done.hint or RunFailedError.hint)
        return done.reason

    async def _verify(self, due: Due) -> str:
        place = self._place(due.destination)
        checks = await Verification(self._home, self._site, clock=self._clock).verify(
            [place], planned=due.id
        )
        for check in checks:
            if check.was_away:
                raise RunFailedError(check.findings[0].message)
        # What it found is told by the check: looking succeeded.
        return checks[0].outcome

    async def _drill(self, due: Due) -> str:
        kind = next_kind(due.destination, read_evidence(self._home))
        done = await drill(self._home, self._site, due.destination, kind, self._clock)
        if done.outcome == "failed":
            raise RunFailedError(done.error, hint=f"Evidence: {self._home.drills}/{done.id}.md")
        return done.id

    async def _save(self, _due: Due) -> str:
        others = await self._gather()
        saved = await ConfigurationService(self._home, self._site, self._clock).save(others)
        failed = [f"{one.destination}: {one.error}" for one in saved if one.error]
        if failed:
            raise RunFailedError("; ".join(failed))
        return saved[0].name

    async def _mirror(self, due: Due) -> str:
        service = MirrorService(self._home, self._site, self._clock)
        done = await service.run(self._place(due.destination))
        return f"{done.objects} objects"

    def _place(self, name: str) -> Destination:
        return next(one for one in self._site.destinations if one.name == name)
