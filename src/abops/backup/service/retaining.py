"""Removing what the policy lets go, only after a verification, and only what the plan names.

The plan is ours, the deed the engine's, and each is held against the other first: by age both
must name the same sets, and the log that would go must be log that nothing kept needs. Where
they differ nothing goes. A set that somebody holds, or a rule keeps, is unknown to the engine:
then it is told each chain that goes, and that log stays from the oldest promised point on.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from abops.backup.model import Destination, Home, SegmentName, SetFacts, Site
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.faults import DestinationError, explain
from abops.backup.postgres.site import generations_of, number_of
from abops.backup.retain import (
    Fate,
    Plan,
    Promise,
    Removal,
    by_age,
    log_needed,
    plan,
    promise,
    removal,
)
from abops.backup.service.journal import Journal
from abops.backup.service.lock import RunHeldError, hold
from abops.backup.service.look import look
from abops.backup.service.verifying import Verification, kept_facts
from abops.backup.store import schema
from abops.backup.store.database import Catalog
from abops.backup.store.entries import drop, get
from abops.backup.store.records import Check, Hold, Run
from abops.backup.store.sets import note_expiring, note_sets, sets
from abops.clients.objectstore import open_store
from abops.clients.pgbackrest_expiry import Expiry, LogRun, read_expiry
from abops.kernel.clock import Clock, SystemClock
from abops.kernel.errors import OpsError

EXPIRE_TIMEOUT_S: Final = 3_600.0
DAY_S: Final = 86_400.0
FRESH_S: Final = 26 * 3_600.0
"""A verification that is older says too little about today."""
_SHOWN: Final = 4
_ALL: Final = 9_999_999
_KEEP_BY_COUNT: Final = (
    "--repo1-retention-full-type=count",
    f"--repo1-retention-full={_ALL}",
    "--repo1-retention-archive-type=full",
)
"""A retention by time removes no log while older sets stay; one by count does."""


class PlanDiffersError(DestinationError):
    """The engine would remove something else than the plan names; nothing was removed."""

    hint = (
        "See the plan: abops backup retain --dry-run. If backup.retention.days was changed, "
        "abops backup init writes it into the engine's configuration."
    )


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
    error: str = ""
    hint: str = ""


class _Decision(Struct, frozen=True):
    sets: tuple[SetFacts, ...]
    plan: Plan
    how: Removal
    segments: int
    """Of log that go; where the engine is told set by set, at least so many."""


class RetentionService:
    """Keeps the promise of one home's policy; runs as the owner of its files."""

    def __init__(self, home: Home, site: Site, *, clock: Clock | None = None) -> None:
        self.home, self.site = home, site
        self.catalog = Catalog(home.catalog)
        self._clock = clock or SystemClock()
        self._engine = engine_of(home, site)
        self._journal = Journal(self.catalog, self._clock)

    async def run(self, place: Destination, *, planned: Run | None = None) -> Retained:
        """Verify unless that was just done, then remove what the policy lets go.

        Raises RunHeldError when somebody else is at the destination; every other failure is in
        the answer, and in the journal.
        """
        try:
            known = await self._verified(place)
            with (
                hold(self.home, place.name, "retention"),
                self._journal.run(place, "retain", "what the policy lets go", planned),
            ):
                decision = await self._decide(place)
                if not known:
                    reason = "nothing was remembered of it: verified now, removed the next time"
                    return _told("nothing", place, decision, 0, reason=reason)
                found = await self._remove(place, decision)
                over = await self._over(place, decision)
                for old in over:
                    await self._end(old)
                return replace(found, ended=tuple(old.generation for old in over))
        except RunHeldError:
            raise
        except OpsError as error:
            return _failed(place, error)

    async def plan(self, place: Destination) -> Retained:
        """Return what `run` would do now by what is known; nothing is changed."""
        try:
            decision = await self._decide(place)
            over = await self._over(place, decision)
        except OpsError as error:
            return _failed(place, error)
        found = _told("planned", place, decision, decision.segments)
        return replace(found, ended=tuple(old.generation for old in over))

    def promise(self, place: Destination) -> Promise:
        """Return whether the policy is kept, by what is known; the metrics are made of it."""
        now = self._clock.now()
        facts, verified, held = kept_facts(self.catalog, place, now.timestamp())
        with self.catalog.read() as connection:
            lost = sets(connection, place.name, place.generation, state="lost")
        check = self._last_check(place)
        holes = [one.subject for one in check.findings if one.code == "gap"] if check else []
        last = max((name.rpartition("..")[2] for name in holes), default="")
        return promise(facts, lost, verified, held, self.site.retention, now, last)

    async def _verified(self, place: Destination) -> bool:
        """Have the destination verified by now; tell whether it was known before that.

        Who restores from a set is known to the catalog alone: a new one cannot tell.
        """
        before = self._last_check(place)
        facts, _, _ = kept_facts(self.catalog, place, 0.0)
        newest = max((one.stopped for one in facts), default=0.0)
        fresh_since = max(self._clock.now().timestamp() - FRESH_S, newest)
        if before is None or before.started < fresh_since or _was_away(before):
            (check,) = await Verification(self.home, self.site, clock=self._clock).verify([place])
            if _was_away(check):
                raise NotVerifiedError(f"{place.name}: {check.findings[0].message}")
        return before is not None

    async def _decide(self, place: Destination) -> _Decision:
        """Plan, and hold the plan against what the engine would do."""
        seen = await look(self.home, self.site, self._engine, place)
        if seen.problem is not None:
            raise seen.problem
        now = self._clock.now()
        _, verified, held = kept_facts(self.catalog, place, now.timestamp())
        policy = self.site.retention
        decided = plan(seen.sets, verified, held, policy, now)
        how = removal(seen.sets, decided, held, policy, now)
        if how.by == "nothing":
            return _Decision(seen.sets, decided, how, 0)
        alone = await self._expire(place, "--dry-run")
        _same_sets(place, alone.sets, by_age(seen.sets, policy, now).expired)
        would = [alone]
        if how.by == "set":
            would = [await self._expire(place, "--dry-run", *each) for each in _steps(how)]
        _same_sets(place, {label for one in would for label in one.sets}, decided.expired)
        return _Decision(seen.sets, decided, how, _segments(would))

    async def _remove(self, place: Destination, decision: _Decision) -> Retained:
        gone = decision.plan.expired
        with self.catalog.write() as connection:
            # Before it is done: what is cut off in between is found again by the next look.
            note_expiring(connection, place.name, place.generation, gone)
        needed = log_needed(decision.sets, decision.plan, decision.how)
        done = []
        for options in _steps(decision.how):
            would = await self._expire(place, "--dry-run", *options)
            _spares(place, would.log, needed)
            done.append(await self._expire(place, *options))
        after = await look(self.home, self.site, self._engine, place)
        if after.problem is not None:
            raise after.problem
        with self.catalog.write() as connection:
            note_sets(connection, place.name, place.generation, after.sets, expired=gone)
            drop(connection, Hold, schema.hold.c.until < self._clock.now().timestamp())
        left = {one.label for one in after.sets}
        _same_sets(place, {one.label for one in decision.sets} - left, gone)
        return _told("removed" if done else "nothing", place, decision, _segments(done))

    async def _over(self, place: Destination, decision: _Decision) -> list[Destination]:
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
        await store.delete([one.path for one in await store.list(old.folder.strip("/"))])
        self.home.engine(old.name, old.generation).unlink(missing_ok=True)

    async def _expire(self, place: Destination, *options: str) -> Expiry:
        answer = await self._engine.run(
            self.home.engine(place.name, place.generation),
            self.site.stanza,
            "expire",
            *options,
            timeout_s=EXPIRE_TIMEOUT_S,
            console="info",
        )
        if answer.code != 0:
            raise explain(place, "expire", answer)
        return read_expiry(answer.output)

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


def _was_away(check: Check) -> bool:
    return any(one.code == "unreachable" for one in check.findings)


def _steps(how: Removal) -> tuple[tuple[str, ...], ...]:
    """Return the options of each call of the engine, which takes one set at a time.

    Log goes with the last one: how many sets keep theirs is only right when the others are gone.
    """
    if how.by == "nothing":
        return ()
    if how.by == "age":
        return ((),)
    steps = [(*_KEEP_BY_COUNT, _log_of(_ALL), f"--set={label}") for label in how.chains]
    return (*steps, (*_KEEP_BY_COUNT, _log_of(how.fulls_with_log)))


def _log_of(fulls: int) -> str:
    return f"--repo1-retention-archive={fulls}"


def _same_sets(place: Destination, engine: Iterable[str], ours: Iterable[str]) -> None:
    """Refuse to go on when the two differ. Raises PlanDiffersError."""
    theirs, own = set(engine), set(ours)
    if theirs != own:
        told = [f"only the engine removes {_listed(theirs - own)}"] if theirs - own else []
        told += [f"only the plan removes {_listed(own - theirs)}"] if own - theirs else []
        raise PlanDiffersError(f"{place.name}: {'; '.join(told)}")


def _spares(place: Destination, going: Sequence[LogRun], needed: Sequence[tuple[str, str]]) -> None:
    """Refuse to go on when log would go that something kept needs. Raises PlanDiffersError."""
    for one in going:
        for first, last in needed:
            if one.touches(first, last):
                raise PlanDiffersError(
                    f"{place.name}: the engine would remove the log {one.first}..{one.last}, and "
                    f"from {first} on it is needed"
                )


def _segments(found: Iterable[Expiry]) -> int:
    runs = {each for one in found for each in one.log}
    return sum(
        SegmentName.of(one.last).number - SegmentName.of(one.first).number + 1 for one in runs
    )


def _failed(place: Destination, error: OpsError) -> Retained:
    return Retained(
        destination=place.name,
        generation=place.generation,
        outcome="failed",
        error=str(error),
        hint=error.hint,
    )


def _told(
    outcome: Outcome, place: Destination, decision: _Decision, segments: int, *, reason: str = ""
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


def _listed(labels: set[str]) -> str:
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(sorted(labels)[:_SHOWN]) + more
