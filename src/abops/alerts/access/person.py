"""A person as the store knows them, how long things last, and when the door stays shut.

Five wrong passwords in a row shut the door of that name for a minute, and each wrong one after
that again: about 1,400 guesses a day, against which twelve characters hold.
"""

from typing import Final

from msgspec import Struct

from abops.alerts.access.roles import Ability, abilities_of
from abops.kernel.errors import UsageError

FAILURES: Final = 5
LOCKED_S: Final = 60.0
SESSION_S: Final = 12 * 3600.0
INVITATION_S: Final = 24 * 3600.0
_LONGEST_NAME: Final = 64
_NAME_MARKS: Final = "._@-"


class NameRefusedError(UsageError):
    """The name cannot be used."""

    hint = "Use 1 to 64 letters, digits and . _ @ -"


class Person(Struct, frozen=True):
    """Somebody who may sign in."""

    name: str
    role: str
    created_at: float = 0.0
    disabled_at: float | None = None
    failures: int = 0
    locked_until: float | None = None
    has_password: bool = False


class Caller(Struct, frozen=True):
    """Who makes a request, and what they may do."""

    name: str
    abilities: frozenset[Ability]
    via: str = "console"
    """console: a session in a browser; proxy: named by a proxy; api: a program's token."""
    role: str = ""
    csrf: str = ""
    """What each of their forms has to carry; empty for programs, whose token no browser sends."""

    def may(self, ability: Ability) -> bool:
        """Tell whether the caller may do it."""
        return ability in self.abilities


def caller_of(person: Person, *, via: str, csrf: str) -> Caller:
    """Return the caller that a person is."""
    return Caller(person.name, abilities_of(person.role), via, person.role, csrf)


def check_name(name: str) -> str:
    """Return the name; raises NameRefusedError when it cannot be one."""
    fits = 0 < len(name) <= _LONGEST_NAME and name[0].isalnum()
    if not fits or not all(c.isalnum() or c in _NAME_MARKS for c in name):
        raise NameRefusedError(f"{name[:_LONGEST_NAME]!r} cannot be a name")
    return name


def is_locked(person: Person, now: float) -> bool:
    """Tell whether the door is shut for this name at the moment."""
    return person.locked_until is not None and now < person.locked_until


def after_failure(person: Person, now: float) -> tuple[int, float | None]:
    """Return the count of failures and until when the door is shut, after a wrong password."""
    failures = person.failures + 1
    return failures, now + LOCKED_S if failures >= FAILURES else None
