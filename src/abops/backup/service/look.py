"""What each destination holds, by its own words; all are asked at once, a dead one costs 10 s."""

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec

from abops.backup.model import Destination, Home, SetFacts, Site
from abops.backup.postgres.facts import facts_of
from abops.backup.postgres.faults import DestinationError, meaning
from abops.clients.pgbackrest import Engine
from abops.clients.pgbackrest_answers import Info

INFO_TIMEOUT_S: Final = 10.0
NO_BACKUP: Final = 2
"""The engine's word for a stanza that is well and empty."""


class Seen(msgspec.Struct, frozen=True):
    """A destination as it was found."""

    destination: Destination
    info: Info
    sets: tuple[SetFacts, ...] = ()
    problem: DestinationError | None = None

    @property
    def answers(self) -> bool:
        """Tell whether its words can be believed."""
        return self.problem is None


async def look(home: Home, site: Site, engine: Engine, place: Destination) -> Seen:
    """Ask one destination. It fails by a problem, never by an error."""
    config = home.engine(place.name, place.generation)
    info = await engine.info(config, site.stanza, timeout_s=INFO_TIMEOUT_S)
    if info.status.code in {0, NO_BACKUP}:
        return Seen(place, info, facts_of(info, place))
    problem = meaning(place, "info", info.status.code, info.status.message, at=info.asked)
    return Seen(place, info, (), problem)


async def look_at(
    home: Home, site: Site, engine: Engine, places: Iterable[Destination]
) -> tuple[Seen, ...]:
    """Ask several destinations at once."""
    return tuple(await asyncio.gather(*(look(home, site, engine, place) for place in places)))
