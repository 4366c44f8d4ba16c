"""Removing what the policy lets go, only after a verification, and only what the plan names.

The repository of an earlier key goes as a whole: once the present one covers the days, and nobody
holds anything in it.
"""

import asyncio
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from abops.backup.model import Destination, Home, Site
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.faults import DestinationError
from abops.backup.postgres.site import generations_of, number_of
from abops.backup.retain import Fate, Promise, promise
from abops.backup.service.expiring import Decision, Expiring
from abops.backup.service.journal import Journal
from abops.backup.service.lock import RunHeldError, hold, holder, is_held
from abops.backup.service.look import look
from abops.backup.service.verifying import Verification, kept_facts
from abops.backup.store import schema
from abops.backup.store.database import Catalog
from abops.backup.store.entries import get
from abops.backup.store.records import Check, Run
from abops.backup.store.sets import note_expiring, sets
from abops.clients.objectstore import open_store
from abops.kernel.clock import Clock, SystemClock
from abops.kernel.errors import OpsError

DAY_S: Final = 86_400.0
FRESH_S: Final = 26 * 3_600.0
"""A verification that is older says too little about today."""
_AT_ONCE: Final = 8


class NotVerifiedError(DestinationError):
    """Nothing is removed before it was looked at what would stay."""

    hint = "See what the verification found: abops backup verify."


Outcome = Literal["removed", "nothing", "planned", "failed"]


class Retained(Struct, frozen=True, kw_only=True):
    """What became of a destination's sets, or would become of them."""

    destination: str
    generation: str
    outcome: Outcome
    reason: str = ""
    fates: tuple[Fate, ...] = ()
    removed: tuple[str, ...] = ()
    """Labels that went, or would."""
    segments: int = 0
    """Segments of log that went with them."""
    ended: tuple[str, ...] = ()
    """Earlier key generations that went as a whole, or would: the present one covers the days."""
    promised: Promise | None = None
    """Whether the policy is kept, as of after it."""
    error: str = ""
    hint: str = ""


class RetentionService:
    """Keeps the promise of one home's policy; runs as the owner of its files."""

    def __init__(self, home: Home, site: Site, *, clock: Clock | None = None) -> None:
        self.home, self.site = home, site
        self.catalog = Catalog(home.catalog)
        self._clock = clock or SystemClock()
        self._engine = engine_of(home, site)
        self._expiring = Expiring(home, site, self.catalog, self._clock)
        self._journal = Journal(self.catalog, self._clock)

    async def run(self, place: Destination, *, planned: Run | None = None) -> Retained:
        """Verify unless that was just done, then remove what the policy lets go.

        Raises RunHeldError when somebody else is at the destination; every other failure is in
        the answer, and in the journal.
        """
        if is_held(self.home, place.name):
            raise RunHeldError(f"{place.name}: {holder(self.home, place.name)}")
        reason = "what the policy lets go"
        try:
            with self._journal.run(place, "retain", reason, planned):
                return await self._run(place)
        except RunHeldError:
            raise
        except OpsError as error:
            return _failed(place, error)

    async def _run(self, place: Destination) -> Retained:
        known = await self._verified(place)
        with hold(self.home, place.name, "retention"):
            decision = await self._expiring.decide(place)
            if not known:
                reason = "nothing was remembered of it: verified now, removed the next time"
                return _told("nothing", place, decision, 0, reason=reason)
            segments = await self._expiring.carry_out(place, decision)
            over = await self._over(place, decision)
            for old in over:
                await self._end(old)
        found = _told("removed", place, decision, segments)
        ended = tuple(old.generation for old in over)
        return replace(found, ended=ended, promised=self.promise(place))

    async def plan(self, place: Destination) -> Retained:
        """Return what `run` would do now by what is known; nothing is changed."""
        try:
            decision = await self._expiring.decide(place)
            over = await self._over(place, decision)
        except OpsError as error:
            return _failed(place, error)
        found = _told("planned", place, decision, decision.segments)
        ended = tuple(old.generation for old in over)
        return replace(found, ended=ended, promised=self.promise(place))

    def promise(self, place: Destination) -> Promise:
        """Return whether the policy is kept, by what is known; the metrics are made of it."""
        check = self._last_check(place)
        holes = [one.subject for one in check.findings if one.code == "gap"] if check else []
        last = max((name.rpartition("..")[2] for name in holes), default="")
        present = self._promise(place, last)
        # The log went to both while a key was changed: from an earlier one points are reached too.
        # What is old in it is not overdue: it goes as a whole.
        earlier = [
            self._promise(one)
            for one in generations_of(self.home, place)
            if number_of(one.generation) < number_of(place.generation)
        ]
        return Promise(
            min(
                (
                    one.oldest_recoverable
                    for one in (present, *earlier)
                    if one.oldest_recoverable is not None
                ),
                default=None,
            ),
            tuple(label for one in (*earlier, present) for label in one.gone),
            present.overdue,
        )

    def _promise(self, place: Destination, hole: str = "") -> Promise:
        now = self._clock.now()
        facts, verified, held = kept_facts(self.catalog, place, now.timestamp())
        with self.catalog.read() as connection:
            lost = sets(connection, place.name, place.generation, state="lost")
        return promise(facts, lost, verified, held, self.site.retention, now, hole)

    async def _verified(self, place: Destination) -> bool:
        """Have the destination verified by now; tell whether it was known before that.

        Who restores from a set is known to the catalog alone: a new one cannot tell.
        """
        before = self._last_check(place)
        facts, _, _ = kept_facts(self.catalog, place, 0.0)
        newest = max((one.stopped for one in facts), default=0.0)
        fresh_since = max(self._clock.now().timestamp() - FRESH_S, newest)
        if before is None or before.started < fresh_since or before.was_away:
            (check,) = await Verification(self.home, self.site, clock=self._clock).verify([place])
            if check.was_away:
                raise NotVerifiedError(f"{place.name}: {check.findings[0].message}")
        return before is not None

    async def _over(self, place: Destination, decision: Decision) -> list[Destination]:
        """Return the earlier key generations that nothing promised needs any more."""
        now = self._clock.now()
        horizon = now.timestamp() - self.site.retention.days * DAY_S
        covering = [one for one in decision.sets if one.label == decision.plan.covering]
        if not covering or covering[0].stopped > horizon:
            return []
        over = []
        for old in generations_of(self.home, place):
            if number_of(old.generation) >= number_of(place.generation):
                continue
            seen = await look(self.home, self.site, self._engine, old)
            if seen.problem is not None:
                raise seen.problem
            _, _, held = kept_facts(self.catalog, old, now.timestamp())
            if not held and not any(one.keep for one in seen.sets):
                over.append(old)
        return over

    async def _end(self, old: Destination) -> None:
        """Remove the repository of an earlier key; its passphrase stays in the secrets."""
        facts, _, _ = kept_facts(self.catalog, old, 0.0)
        labels = [one.label for one in facts]
        with self.catalog.write() as connection:
            note_expiring(connection, old.name, old.generation, labels)
        store = open_store(old, credentials_of(self.home, old), clock=self._clock)
        folder = f"{old.folder.strip('/')}/"
        listed = [one.path for one in await store.list(folder)]
        own = [path for path in listed if path.startswith(folder)]
        # A month of log is tens of thousands of objects.
        await asyncio.gather(*(store.delete(own[n::_AT_ONCE]) for n in range(_AT_ONCE)))
        self.home.engine(old.name, old.generation).unlink(missing_ok=True)

    def _last_check(self, place: Destination) -> Check | None:
        with self.catalog.read() as connection:
            found = get(
                connection,
                Check,
                schema.check.c.destination == place.name,
                schema.check.c.kind != "validate",
                newest="ended",
                limit=1,
            )
        return found[0] if found else None


def _failed(place: Destination, error: OpsError) -> Retained:
    return Retained(
        destination=place.name,
        generation=place.generation,
        outcome="failed",
        error=str(error),
        hint=error.hint,
    )


def _told(
    outcome: Outcome, place: Destination, decision: Decision, segments: int, *, reason: str = ""
) -> Retained:
    gone = decision.plan.expired
    if not decision.sets:
        reason = "no backup there: nothing to remove"
    elif decision.how.by == "nothing":
        reason = decision.plan.fates[0].reason
    return Retained(
        destination=place.name,
        generation=place.generation,
        outcome="nothing" if outcome == "removed" and not gone and not segments else outcome,
        reason=reason or f"{len(gone)} sets, {segments} segments of log",
        fates=decision.plan.fates,
        removed=() if outcome == "nothing" else gone,
        segments=segments,
    )
