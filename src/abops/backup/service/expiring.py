"""Having the engine carry a plan out, after it was asked what it would do.

By age both must name the same sets, and no log may go that something kept needs. Where they
differ nothing goes. A set that somebody holds, or a rule keeps, is unknown to the engine: then it
is told each chain that goes, and at last from how many full sets on all log stays.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from abops.backup.model import Destination, Home, SegmentName, SetFacts, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.faults import DestinationError, explain
from abops.backup.retain import Plan, Removal, by_age, endangered, log_needed, plan, removal
from abops.backup.service.look import look
from abops.backup.service.verifying import kept_facts
from abops.backup.store import schema
from abops.backup.store.database import Catalog
from abops.backup.store.entries import drop
from abops.backup.store.records import Hold
from abops.backup.store.sets import note_expiring, note_sets
from abops.clients.pgbackrest_expiry import Expiry, read_expiry
from abops.kernel.clock import Clock

EXPIRE_TIMEOUT_S: Final = 3_600.0
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


class Decision(Struct, frozen=True):
    """A plan that the engine agrees to."""

    sets: tuple[SetFacts, ...]
    plan: Plan
    how: Removal
    segments: int
    """Of log that go; where the engine is told set by set, at least so many."""


class Expiring:
    """Asks and tells the engine of one home."""

    def __init__(self, home: Home, site: Site, catalog: Catalog, clock: Clock) -> None:
        self._home, self._site = home, site
        self._catalog, self._clock = catalog, clock
        self._engine = engine_of(home, site)

    async def decide(self, place: Destination) -> Decision:
        """Plan, and hold the plan against what the engine would do."""
        seen = await look(self._home, self._site, self._engine, place)
        if seen.problem is not None:
            raise seen.problem
        now = self._clock.now()
        _, verified, held = kept_facts(self._catalog, place, now.timestamp())
        policy = self._site.retention
        decided = plan(seen.sets, verified, held, policy, now)
        how = removal(seen.sets, decided, held, policy, now)
        if how.by == "nothing":
            return Decision(seen.sets, decided, how, 0)
        # What an attempt that was cut off left behind is no set, and may go with the rest.
        listed = {one.label for one in seen.sets}
        alone = await self._expire(place, "--dry-run")
        _same_sets(place, listed & {*alone.sets}, by_age(seen.sets, policy, now).expired)
        would = [alone]
        if how.by == "set":
            would = [await self._expire(place, "--dry-run", *each) for each in _steps(how)]
        told = {label for one in would for label in one.sets}
        _same_sets(place, listed & told, decided.expired)
        return Decision(seen.sets, decided, how, _segments(would))

    async def carry_out(self, place: Destination, decision: Decision) -> int:
        """Remove what the plan lets go; return how many segments of log went too."""
        gone = decision.plan.expired
        with self._catalog.write() as connection:
            # Before it is done: what is cut off in between is found again by the next look.
            note_expiring(connection, place.name, place.generation, gone)
        needed = log_needed(decision.sets, decision.plan, decision.how)
        done = []
        for options in _steps(decision.how):
            would = await self._expire(place, "--dry-run", *options)
            if lost := endangered(would.log, needed):
                told = (
                    f"the engine would remove the log {lost[0]}..{lost[1]}, of which some is needed"
                )
                raise PlanDiffersError(f"{place.name}: {told}")
            done.append(await self._expire(place, *options))
        after = await look(self._home, self._site, self._engine, place)
        if after.problem is not None:
            raise after.problem
        with self._catalog.write() as connection:
            note_sets(connection, place.name, place.generation, after.sets, expired=gone)
            drop(connection, Hold, schema.hold.c.until < self._clock.now().timestamp())
        left = {one.label for one in after.sets}
        _same_sets(place, {one.label for one in decision.sets} - left, gone)
        return _segments(done)

    async def _expire(self, place: Destination, *options: str) -> Expiry:
        answer = await self._engine.run(
            self._home.engine(place.name, place.generation),
            self._site.stanza,
            "expire",
            *options,
            timeout_s=EXPIRE_TIMEOUT_S,
            console="info",
        )
        if answer.code != 0:
            raise explain(place, "expire", answer)
        return read_expiry(answer.output)


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


def _segments(found: Iterable[Expiry]) -> int:
    runs = {each for one in found for each in one.log}
    return sum(SegmentName.of(b).number - SegmentName.of(a).number + 1 for a, b in runs)


def _listed(labels: set[str]) -> str:
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(sorted(labels)[:_SHOWN]) + more
