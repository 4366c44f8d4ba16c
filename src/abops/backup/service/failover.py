"""A failover and its way back, on a home: asked first, written at once, told to the archiver."""

import asyncio
from collections.abc import Collection

import msgspec

from abops.backup.model import Home, Site
from abops.backup.postgres.engine import engine_of
from abops.backup.postgres.site import save_site
from abops.backup.service.live import owed_to
from abops.backup.service.look import Seen, look, look_at
from abops.backup.service.shift import (
    CaughtUp,
    Change,
    Met,
    NotCaughtUpError,
    caught_up,
    changes,
    give_up,
    since,
    take_back,
    verified_again,
)
from abops.backup.service.verifying import Verification
from abops.backup.wal.asking import ArchiverAbsentError, ask_reload
from abops.kernel.clock import Clock
from abops.kernel.errors import UsageError


class Shifted(msgspec.Struct, frozen=True, kw_only=True):
    """What a failover or failback comes to."""

    before: Site
    after: Site
    checks: tuple[CaughtUp, ...] = ()

    @property
    def rows(self) -> tuple[Change, ...]:
        """What was and what is."""
        return changes(self.before, self.after)


async def plan_failover(
    home: Home, site: Site, primary: str, clock: Clock, *, named: Collection[str] = ()
) -> Shifted:
    """Ask every destination and say what would change. Raises FailoverRefusedError."""
    seen = await look_at(home, site, engine_of(home, site), site.sources)
    after = give_up(site, primary, map(_met, seen), clock.now().timestamp(), named=named)
    return Shifted(before=site, after=after)


async def plan_failback(home: Home, site: Site, name: str, clock: Clock) -> Shifted:
    """Judge whether a destination has caught up. Raises NotCaughtUpError with what is missing."""
    place = next((one for one in site.sources if one.name == name), None)
    if place is None:
        known = ", ".join(one.name for one in site.sources)
        raise UsageError(f"no destination {name} makes backups here", hint=f"There are: {known}")
    away_since = since(site, name)
    if away_since is None:
        return Shifted(before=site, after=site)
    seen = await look(home, site, engine_of(home, site), place)
    checks = caught_up(name, _met(seen), len(owed_to(home, site, name)))
    if not _missing(checks):
        (check,) = await Verification(home, site, clock=clock).verify([place])
        checks += verified_again(name, away_since, seen.sets, check)
    return Shifted(before=site, after=take_back(site, name), checks=checks)


def refuse_early(name: str, checks: tuple[CaughtUp, ...]) -> None:
    """Refuse to count on a destination that lacks something. Raises NotCaughtUpError."""
    missing = _missing(checks)
    if missing:
        told = "; ".join(f"not true: {one.claim} ({one.detail})" for one in missing)
        raise NotCaughtUpError(f"{name} stays away. {told}", hint=missing[0].hint or None)


async def settle(home: Home, shifted: Shifted) -> bool:
    """Write it, and tell the archiver; say whether one runs. Without one it reads it at start."""
    if shifted.after != shifted.before:
        save_site(home, shifted.after)
    try:
        await asyncio.to_thread(ask_reload, home)
    except ArchiverAbsentError:
        return False
    return True


def _missing(checks: tuple[CaughtUp, ...]) -> list[CaughtUp]:
    return [one for one in checks if one.outcome == "no"]


def _met(seen: Seen) -> Met:
    return Met(
        name=seen.destination.name,
        answers=seen.answers,
        sets=len(seen.sets),
        reason=str(seen.problem or ""),
    )
