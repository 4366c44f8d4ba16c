"""Verifying a destination: look, judge, write the verdicts down.

What a check found stays in the catalog: the schedule makes the next backup a full one where a
chain is broken, retention removes nothing that was not verified, a restore prefers what was.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from abops.backup.model import Destination, Home, SetFacts, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.faults import DestinationError
from abops.backup.postgres.site import generations_of, number_of
from abops.backup.retain import plan
from abops.backup.service.inspect import Known, hashes_elsewhere, inspect
from abops.backup.service.live import Live, ask_live, owed_to
from abops.backup.service.lock import hold
from abops.backup.service.repository import Repository, repository_of
from abops.backup.store import schema
from abops.backup.store.checks import checks_of, first_seen
from abops.backup.store.database import Catalog
from abops.backup.store.entries import drop, get, of, put
from abops.backup.store.records import Check, Finding, Hold, Listing, Verdict
from abops.backup.store.sets import note_sets, sets
from abops.backup.verify.judge import judge
from abops.backup.verify.seen import Judgement, Seen
from abops.kernel.clock import Clock, SystemClock, moment

Judged = tuple[Destination, Seen, Judgement]
"""The repository of one key, what was seen there, and what it is judged to be."""


class Verification:
    """Verifies what one home protects; runs as the owner of its files."""

    def __init__(
        self,
        home: Home,
        site: Site,
        *,
        clock: Clock | None = None,
        open_repository: Callable[[Destination], Repository] | None = None,
    ) -> None:
        self.home, self.site = home, site
        self.catalog = Catalog(home.catalog)
        self._clock = clock or SystemClock()
        engine = engine_of(home, site)
        self._open = open_repository or (lambda place: repository_of(home, site, engine, place))

    async def verify(
        self, places: Sequence[Destination], *, deep: bool = False, planned: str = ""
    ) -> tuple[Check, ...]:
        """Verify destinations one after the other; a dead one stops none of the others.

        `planned` is the id of the scheduler's run. Raises RunHeldError when a backup runs there.
        """
        live = ask_live(self.home, self.site)
        # Read before any listing: what is owed now and arrives meanwhile is seen twice, not never.
        owed = {place.name: owed_to(self.home, self.site, place.name) for place in places}
        elsewhere = await hashes_elsewhere([self._open(place) for place in self.site.present])
        checks = []
        for place in places:
            with hold(self.home, place.name, "a verification"):
                others = {name: told for name, told in elsewhere.items() if name != place.name}
                known = self._known(place, live, owed[place.name], others)
                checks.append(await self._verify(place, known, deep=deep, planned=planned))
        return tuple(checks)

    async def _verify(self, place: Destination, known: Known, *, deep: bool, planned: str) -> Check:
        began = self._clock.now().timestamp()
        kind: Literal["verify", "deep"] = "deep" if deep else "verify"
        check_id = planned or f"{place.name}-{kind}-{moment(began):%Y%m%dT%H%M%SZ}"
        try:
            judged = [await self._judge(place, known, deep=deep)]
            judged += [
                await self._judge(old, self._known_of_earlier(old, known), deep=deep)
                for old in generations_of(self.home, place)
                if number_of(old.generation) < number_of(place.generation)
            ]
        except DestinationError as error:
            finding = Finding(
                severity="critical",
                code="unreachable",
                message=f"{error} ({error.hint})",
                generation=place.generation,
            )
            check = Check(
                id=check_id,
                destination=place.name,
                kind=kind,
                started=began,
                ended=self._clock.now().timestamp(),
                outcome="failed",
                owed_segments=len(known.owed),
                findings=(finding,),
            )
            with self.catalog.write() as connection:
                put(connection, check)
            return check
        told = [found for _, _, found in judged]
        check = Check(
            id=check_id,
            destination=place.name,
            kind=kind,
            started=began,
            ended=self._clock.now().timestamp(),
            outcome="success" if all(found.passed for found in told) else "failed",
            invalid_objects=sum(found.invalid_objects for found in told),
            gap_segments=sum(found.gap_segments for found in told),
            owed_segments=sum(found.owed_segments for found in told),
            findings=tuple(one for found in told for one in found.findings),
        )
        self._note(judged, check)
        return check

    async def _judge(self, place: Destination, known: Known, *, deep: bool) -> Judged:
        """Look at the repository of one key. Raises DestinationError."""
        seen = await inspect(self._open(place), known, deep=deep)
        return place, seen, judge(seen)

    def _note(self, judged: Sequence[Judged], check: Check) -> None:
        """Write the check, its verdicts, and the listings of sets that are whole."""
        with self.catalog.write() as connection:
            put(connection, check)
            for place, seen, found in judged:
                note_sets(connection, place.name, place.generation, seen.sets)
                others = schema.verdict.c.label.not_in([one.label for one in seen.sets])
                drop(connection, Verdict, *of(Verdict, place), others)
                for one in seen.sets:
                    reason = found.broken.get(one.label, "")
                    put(connection, _verdict(one, check, reason))
                    if not reason and one.label not in seen.recorded:
                        listed = listing_of(one, seen.objects[one.label], check.ended)
                        put(connection, listed)

    def _known_of_earlier(self, place: Destination, present: Known) -> Known:
        """Return what is known of the repository of an earlier key: the live log is not its own."""
        alone = Live(segment_bytes=present.live.segment_bytes)
        return self._known(place, alone, frozenset(), present.elsewhere)

    def _known(
        self,
        place: Destination,
        live: Live,
        owed: frozenset[str],
        elsewhere: Mapping[str, Mapping[str, frozenset[str]]],
    ) -> Known:
        with self.catalog.read() as connection:
            listings = get(connection, Listing, *of(Listing, place))
            checks = checks_of(connection, place.name)
        return Known(
            live=live,
            owed=owed,
            recorded={one.label: one.objects for one in listings},
            gaps=first_seen(checks),
            needed_since=self._needed_since(place),
            elsewhere=elsewhere,
        )

    def _needed_since(self, place: Destination) -> float | None:
        """Return since when log must have no hole: before, sets are kept for themselves."""
        facts, verified, held = kept_facts(self.catalog, place, self._clock.now().timestamp())
        if not verified:
            return None
        return plan(facts, verified, held, self.site.retention, self._clock.now()).oldest_needed


def kept_facts(
    catalog: Catalog, place: Destination, now_s: float
) -> tuple[tuple[SetFacts, ...], frozenset[str], dict[str, str]]:
    """Return what the catalog knows of a destination's sets: facts, verified labels, holds."""
    with catalog.read() as connection:
        facts = sets(connection, place.name, place.generation)
        verdicts = get(connection, Verdict, *of(Verdict, place))
        holds = get(connection, Hold, *of(Hold, place))
    verified = frozenset(one.label for one in verdicts if one.valid)
    held = {one.label: one.why for one in holds if one.until is None or one.until > now_s}
    return facts, verified, held


def listing_of(one: SetFacts, objects: Mapping[str, tuple[int, str]], at: float) -> Listing:
    """Return the record of what a set consists of."""
    return Listing(
        destination=one.destination,
        generation=one.generation,
        label=one.label,
        at=at,
        objects=dict(objects),
    )


def _verdict(one: SetFacts, check: Check, reason: str) -> Verdict:
    return Verdict(
        destination=one.destination,
        generation=one.generation,
        label=one.label,
        valid=not reason,
        at=check.ended,
        check_id=check.id,
        reason=reason,
    )
