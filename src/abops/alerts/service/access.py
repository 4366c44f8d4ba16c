"""Signing in, inviting, tokens: what changes who may do what, and the note of each change.

It has connections of its own: commands change access while the service runs, and a burst of
alerts does not keep anybody from signing in. Calls block; coroutines run them in a thread.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from abops.alerts.access import person as people
from abops.alerts.access import secret as secrets
from abops.alerts.access.person import Caller, Person
from abops.alerts.access.roles import ROLES, SCOPES
from abops.alerts.model import Actor
from abops.alerts.service.linking import Linking
from abops.alerts.store import access as rows
from abops.alerts.store.database import Connection
from abops.alerts.store.incidents import record_audit
from abops.alerts.store.ledger import Ledger
from abops.alerts.store.place import FILE, Place
from abops.kernel.clock import Clock, SystemClock
from abops.kernel.errors import OpsError, UsageError
from abops.kernel.files import write_atomic

FIRST_ADMIN: Final = "admin"
FIRST_LINK: Final = "first-admin-link"
"""File in the data folder with the link of the first admin, as long as nobody used it."""
_NOTE_USE_EVERY_S: Final = 3600.0


class SignInError(OpsError):
    """Name or password is wrong."""

    hint = "Try again; an admin can send you a new link: `abops alerts user invite NAME`."


class LockedError(SignInError):
    """Too many wrong passwords: nobody gets in under this name for a minute."""

    hint = "Wait a minute, then try again."


class InvitationError(OpsError):
    """This link does not open anything."""

    hint = (
        "It was used, or is older than a day. Ask for a new one: `abops alerts user invite NAME`."
    )


class PersonUnknownError(UsageError):
    """There is nobody of this name."""

    hint = "List them with `abops alerts user list`."


class LastAdminError(UsageError):
    """Nobody would be left who can invite others."""

    hint = "Make somebody else an admin first."


class TokenError(UsageError):
    """This cannot be done to the token."""

    hint = "List tokens with `abops alerts token list`."


class Signed(NamedTuple):
    """A session that began: what the cookie holds, and who they are."""

    secret: str
    caller: Caller


class Access:
    """Who may do what, on disk."""

    def __init__(
        self, folder: Path, clock: Clock | None = None, *, place: Place | None = None
    ) -> None:
        self.folder = folder
        self._clock = clock or SystemClock()
        self._noted: dict[str, float] = {}
        self._ledger = Ledger(place or Place(folder / FILE))
        self._read = self._ledger.read
        self._write = self._ledger.write
        self.linking = Linking(self._ledger, self._clock)

    def open(self) -> None:
        """Open the store; the schema is brought up when it is old or not there."""
        self._ledger.open()

    def close(self) -> None:
        """Close the files."""
        self._ledger.close()

    # Signing in

    def sign_in(self, name: str, password: str) -> Signed:
        """Begin a session; raises SignInError, LockedError."""
        now = self._now()
        found = self._read(lambda c: rows.person(c, name))
        if found and people.is_locked(found[0], now):
            raise LockedError
        right = secrets.verify_password(password, found[1] if found else "")
        if found is None:
            raise SignInError
        if not right or found[0].disabled_at is not None:
            if self._count_failure(name, now):
                raise LockedError
            raise SignInError

        def begin(connection: Connection) -> Signed:
            again = rows.person(connection, name)
            if again and people.is_locked(again[0], now):  # by guesses at the same moment
                raise LockedError
            rows.put_person(connection, name, at=now, failures=0, locked_until=None)
            self._note(connection, Actor(name, "console"), "sign in", name)
            return self._begin(connection, found[0], now)

        return self._write(begin)

    def session(self, secret: str) -> Caller | None:
        """Return who has this session; None when it is over."""
        digest = secrets.digest_of(secret)
        found = self._read(lambda c: rows.session_of(c, digest, self._now()))
        return people.caller_of(found[0], via="console", csrf=found[1]) if found else None

    def sign_out(self, secret: str) -> None:
        """End a session."""
        self._write(lambda c: rows.end_sessions(c, digest=secrets.digest_of(secret)))

    def named(self, name: str) -> Person | None:
        """Return somebody who may sign in, by the name that a proxy vouches for."""
        found = self._read(lambda c: rows.person(c, name))
        return found[0] if found and found[0].disabled_at is None else None

    # Invitations

    def invite(self, name: str, role: str | None, by: Actor, *, listed: bool = True) -> str:
        """Return the secret of a link that lets NAME choose a password; it opens once, for a day.

        Without a role a known person keeps theirs; somebody new becomes a viewer. Who is
        `listed` is there at once, so that a proxy may vouch for them before they have a password.
        """
        people.check_name(name)
        known = self._read(lambda c: rows.person(c, name))
        role = check_role(role or (known[0].role if known else "viewer"))
        if known and role != known[0].role:
            self.change_role(name, role, by)
        drawn, now = secrets.draw_secret(), self._now()

        def add(connection: Connection) -> None:
            span = (now, now + people.INVITATION_S)
            if listed and known is None:
                rows.put_person(connection, name, at=now, role=role)
            rows.add_invitation(connection, secrets.digest_of(drawn), name, role, span)
            self._note(connection, by, "invite", f"{name} as {role}")

        self._write(add)
        return drawn

    def invitation(self, secret: str) -> tuple[str, str]:
        """Return name and role of a link; raises InvitationError."""
        digest = secrets.digest_of(secret)
        found = self._read(lambda c: rows.invitation_of(c, digest, self._now()))
        if found is None:
            raise InvitationError
        return found

    def accept(self, secret: str, password: str) -> Signed:
        """Set the password and sign in; raises InvitationError, PasswordError."""
        name, role = self.invitation(secret)
        secrets.check_password(password, name)
        hashed, now = secrets.hash_password(password), self._now()

        def use(connection: Connection) -> Signed:
            if not rows.use_invitation(connection, secrets.digest_of(secret), now):
                raise InvitationError
            rows.end_sessions(connection, name=name)
            invited = rows.person(connection, name)
            actual = invited[0].role if invited else role  # an admin may have changed it since
            values = {"role": actual, "password": hashed, "failures": 0}
            rows.put_person(connection, name, at=now, locked_until=None, disabled_at=None, **values)
            self._note(connection, Actor(name, "console"), "accept invitation", name)
            return self._begin(connection, Person(name, actual), now)

        signed = self._write(use)
        (self.folder / FIRST_LINK).unlink(missing_ok=True)
        return signed

    def first_link(self, url: str) -> Path | None:
        """Write the link of the first admin to a file; None when somebody administers already."""
        if self._read(rows.anyone_administers):
            return None
        secret = self.invite(FIRST_ADMIN, "admin", Actor("service", "start"), listed=False)
        path = self.folder / FIRST_LINK
        write_atomic(path, f"{link(url, secret)}\n", mode=0o600)
        return path

    # People

    def people(self) -> Sequence[Person]:
        """Return everybody who may sign in, by name."""
        return self._read(rows.people)

    def change_role(self, name: str, role: str, by: Actor) -> None:
        """Give somebody another role; raises PersonUnknownError, LastAdminError."""
        check_role(role)
        self._change(name, by, f"role {role}", role=role)

    def disable(self, name: str, by: Actor) -> None:
        """Let somebody in no more and end their sessions."""
        self._change(name, by, "disable", disabled_at=self._now())

    def enable(self, name: str, by: Actor) -> None:
        """Let somebody in again."""
        self._change(name, by, "enable", disabled_at=None, failures=0, locked_until=None)

    # Tokens

    def add_token(self, name: str, scope: str, by: Actor, *, days: float | None = None) -> str:
        """Return a new token, which is shown this once; raises TokenError."""
        people.check_name(name)
        if scope not in SCOPES:
            raise TokenError(f"there is no scope {scope!r}; scopes: {', '.join(SCOPES)}")
        drawn, now = secrets.draw_secret(), self._now()
        values = {
            "digest": secrets.digest_of(drawn),
            "name": name,
            "scope": scope,
            "created_at": now,
            "created_by": by.name,
            "expires_at": None if days is None else now + days * 86_400,
        }

        def add(connection: Connection) -> None:
            if not rows.add_token(connection, values):
                raise TokenError(f"there is a token {name!r} already")
            self._note(connection, by, "token", f"{name} for {scope}")

        self._write(add)
        return drawn

    def token(self, secret: str) -> Caller | None:
        """Return the program that this token stands for; None when it stands for none."""
        digest, now = secrets.digest_of(secret), self._now()
        found = self._read(lambda c: rows.token_of(c, digest, now))
        if found is None:
            return None
        if now - self._noted.get(digest, 0.0) > _NOTE_USE_EVERY_S:
            self._noted[digest] = now
            self._write(lambda c: rows.note_use(c, digest, now))
        return Caller(found[0], SCOPES.get(found[1], frozenset()), "api")

    def tokens(self) -> Sequence[dict[str, Any]]:
        """Return the tokens, without what could be used."""
        return self._read(rows.tokens)

    def revoke(self, name: str, by: Actor) -> None:
        """End a token; raises TokenError."""

        def end(connection: Connection) -> None:
            if not rows.revoke_token(connection, name, self._now()):
                raise TokenError(f"there is no token {name!r} that could be revoked")
            self._note(connection, by, "revoke token", name)

        self._write(end)

    def audited(self, *, limit: int = 200, before: int | None = None) -> Sequence[dict[str, Any]]:
        """Return who did what, the newest first."""
        return self._read(lambda c: rows.audited(c, limit=limit, before=before))

    def _begin(self, connection: Connection, person: Person, now: float) -> Signed:
        secret, csrf = secrets.draw_secret(), secrets.draw_secret()
        span = (now, now + people.SESSION_S)
        rows.add_session(connection, secrets.digest_of(secret), person.name, csrf, span)
        return Signed(secret, people.caller_of(person, via="console", csrf=csrf))

    def _count_failure(self, name: str, now: float) -> bool:
        """Count a wrong password; True when the door is shut by it."""

        def count(connection: Connection) -> bool:
            found = rows.person(connection, name)  # again: others may be guessing too
            if found is None:
                return False
            failures, until = people.after_failure(found[0], now)
            rows.put_person(connection, name, at=now, failures=failures, locked_until=until)
            if until is not None:
                self._note(connection, Actor(name, "console"), "locked", f"{failures} failures")
            return until is not None

        return self._write(count)

    def _change(self, name: str, by: Actor, action: str, **values: Any) -> None:  # noqa: ANN401 - columns
        def change(connection: Connection) -> None:
            if rows.person(connection, name) is None:
                raise PersonUnknownError(f"there is nobody called {name!r}")
            administered = rows.anyone_administers(connection)
            rows.put_person(connection, name, at=self._now(), **values)
            if administered and not rows.anyone_administers(connection):
                raise LastAdminError(f"{name} is the last admin")
            if "role" not in values:
                rows.end_sessions(connection, name=name)
            self._note(connection, by, action, name)

        self._write(change)

    def _note(self, connection: Connection, actor: Actor, action: str, subject: str) -> None:
        record_audit(connection, actor, at=self._now(), action=action, subject=subject)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def check_role(role: str) -> str:
    """Return the role; raises UsageError when there is no such."""
    if role not in ROLES:
        raise UsageError(f"there is no role {role!r}", hint=f"Roles: {', '.join(ROLES)}.")
    return role


def link(url: str, secret: str) -> str:
    """Return the address that an invitation opens at."""
    return f"{url.rstrip('/')}/invitation/{secret}"
