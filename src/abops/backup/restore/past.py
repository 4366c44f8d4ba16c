"""Reading a destination as it was at a moment, where its store keeps versions.

Whoever has stolen keys can delete everything, but in a store with versions and a lock that only
hides it. The engine finds what was there before; it says so for one repository at a time, and cuts
moments to whole seconds.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from abops.backup.model import Site
from abops.clients.pgbackrest_answers import Capabilities, EngineError
from abops.kernel.clock import moment
from abops.kernel.errors import UsageError

_REPOSITORY: Final = "1"


class Past(Struct, frozen=True):
    """The moment whose state is read."""

    at: float

    def __str__(self) -> str:
        """Return it as the engine reads it."""
        return f"{moment(self.at):%Y-%m-%d %H:%M:%S}+00"

    @property
    def options(self) -> tuple[str, ...]:
        """Options of one call of the engine."""
        return (f"--repo={_REPOSITORY}", f"--repo-target-time={self}")

    @property
    def environment(self) -> dict[str, str]:
        """The same for every call of an engine."""
        return {"PGBACKREST_REPO": _REPOSITORY, "PGBACKREST_REPO_TARGET_TIME": str(self)}


def past_of(at: datetime, now: datetime) -> Past:
    """Return a state that is asked for. Raises UsageError for one that is still to come."""
    if at > now:
        raise UsageError(f"{at.isoformat()} is still to come", hint="--at-state names the past.")
    return Past(at.timestamp())


def check_engine(can: Capabilities) -> None:
    """Refuse an engine that reads only what is there now."""
    if not can.target_time:
        raise EngineError(
            f"pgBackRest {can.version} reads no earlier state of a store",
            hint="Install 2.54 or newer: abops tools install pgbackrest",
        )


def keepers(site: Site, names: Sequence[str]) -> tuple[str, ...]:
    """Return who is asked for an earlier state: the named, else the mirrors with a lock."""
    if names:
        return tuple(names)
    locked = tuple(one.name for one in site.ordered if one.lock_mode)
    if not locked:
        raise UsageError(
            "no destination locks its objects",
            hint="Name one whose store keeps versions with --from.",
        )
    return locked
