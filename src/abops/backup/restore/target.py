"""To which point a database is brought back.

A time must carry its offset: PostgreSQL would read one without in the server's zone, and an hour
of somebody's work would be lost or kept by accident.
"""

import re
from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import Struct

from abops.kernel.clock import moment
from abops.kernel.errors import UsageError

Kind = Literal["latest", "time", "lsn", "xid", "name", "immediate"]
_LSN = re.compile(r"^([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})$")


class Target(Struct, frozen=True):
    """A point in the history of a database."""

    kind: Kind = "latest"
    value: str = ""
    """As the engine and PostgreSQL read it."""
    at: float | None = None
    """Seconds since 1970, when the target is a time."""
    lsn: int | None = None
    """Position in the log, when the target is one."""

    def __str__(self) -> str:
        """Return it as a person reads it."""
        return f"{self.kind} {self.value}".strip()


LATEST: Final = Target()
IMMEDIATE: Final = Target("immediate")


def target_of(
    *,
    time: str | None = None,
    lsn: str | None = None,
    xid: str | None = None,
    name: str | None = None,
    immediate: bool = False,
) -> Target:
    """Return what the options ask for; without any, the end of the log. Raises UsageError."""
    given = [
        option
        for option, value in (("--time", time), ("--lsn", lsn), ("--xid", xid), ("--name", name))
        if value is not None
    ]
    given += ["--immediate"] if immediate else []
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} name two targets; give one")
    if time is not None:
        return at_time(read_time(time))
    if lsn is not None:
        return Target("lsn", lsn.upper(), lsn=read_lsn(lsn))
    if xid is not None:
        return Target("xid", _xid(xid))
    if name is not None:
        return Target("name", _name(name))
    return IMMEDIATE if immediate else LATEST


def at_time(at: datetime) -> Target:
    """Return a moment as a target."""
    utc = at.astimezone(UTC)
    return Target("time", f"{utc:%Y-%m-%d %H:%M:%S.%f}+00", at=utc.timestamp())


def read_time(text: str) -> datetime:
    """Read a moment with its offset. Raises UsageError."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no time", hint="Write it as 2026-01-31T12:00:00+00:00 (or ...Z)."
        ) from error
    if at.tzinfo is None:
        raise UsageError(
            f"{text!r} has no offset: in which zone is it?",
            hint=f"In UTC it is {text.strip()}+00:00.",
        )
    return at


def read_lsn(text: str) -> int:
    """Read a position in the log. Raises UsageError."""
    found = _LSN.match(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no LSN", hint="It reads like 0/3000148.")
    return int(found[1], 16) << 32 | int(found[2], 16)


def told(at: float) -> str:
    """Return a moment as messages write it."""
    return f"{moment(at):%Y-%m-%d %H:%M:%S}+00:00"


def _xid(text: str) -> str:
    if not text.isdigit():
        raise UsageError(f"{text!r} is no transaction id", hint="It is a number.")
    return text


def _name(text: str) -> str:
    # PostgreSQL's own limit of a restore point's name.
    if not text or not text.isprintable() or len(text.encode()) > 63:  # noqa: PLR2004
        raise UsageError(f"{text!r} is no name of a restore point")
    return text
