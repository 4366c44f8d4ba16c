"""Linking accounts in the chats to people, so that who presses a button there has a name here.

An admin links an account by what the provider calls it. Or a person shows that an account is
theirs: they get a code here and say it there, once, within ten minutes. Guessing is bounded: a
code has forty bits, and only so many wrong ones are looked at in a minute.
"""

import secrets
from typing import Final

from abops.alerts.access.secret import digest_of
from abops.alerts.model import Actor
from abops.alerts.store import access as people
from abops.alerts.store import links as rows
from abops.alerts.store.database import Connection
from abops.alerts.store.incidents import record_audit
from abops.alerts.store.ledger import Ledger
from abops.kernel.clock import Clock
from abops.kernel.errors import UsageError

CODE_S: Final = 600.0
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without what is easily taken for something else."""
LENGTH: Final = 8
WRONG_A_MINUTE: Final = 20
_LONGEST: Final = 64


class AccountError(UsageError):
    """This cannot be somebody's account."""

    hint = (
        "Name it as the provider does: --slack U0ABC123, --telegram 123456789, --pagerduty PABC123."
    )


class NobodyError(UsageError):
    """There is nobody of this name."""

    hint = "List them with `abops alerts user list`."


class Linking:
    """Who has which account, on disk."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._wrong: list[float] = []

    def accounts(self) -> dict[str, dict[str, str]]:
        """Return by name of whom which accounts are known."""
        return self._ledger.read(rows.accounts)

    def link(self, name: str, via: str, account: str, by: Actor) -> None:
        """Give an account to somebody, whoever had it; raises AccountError, NobodyError."""
        account = account.strip()
        if via not in rows.VIAS:
            raise AccountError(f"there are no accounts of {via[:_LONGEST]!r}")
        if not account or len(account) > _LONGEST or not account.isalnum():
            raise AccountError(f"{account[:_LONGEST]!r} cannot be an account of {via}")
        self._put(name, via, account, by)

    def unlink(self, name: str, via: str, by: Actor) -> None:
        """Take an account from somebody; raises AccountError, NobodyError."""
        if via not in rows.VIAS:
            raise AccountError(f"there are no accounts of {via[:_LONGEST]!r}")
        self._put(name, via, "", by)

    def code(self, name: str, by: Actor) -> str:
        """Return a code that links the account which says it; raises NobodyError."""
        code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        now = self._clock.now().timestamp()

        def add(connection: Connection) -> None:
            self._known(connection, name)
            rows.add_code(connection, digest_of(code), name, (now, now + CODE_S))
            self._note(connection, by, "link code", name)

        self._ledger.write(add)
        return code

    def claim(self, code: str, via: str, account: str) -> str | None:
        """Link the account that said a code; return whose it is now. None: no such code."""
        now = self._clock.now().timestamp()
        self._wrong = [at for at in self._wrong if at > now - 60.0]
        if len(self._wrong) >= WRONG_A_MINUTE or via not in rows.VIAS or not account:
            return None
        said = code.strip().upper()[:_LONGEST]

        def use(connection: Connection) -> str | None:
            name = rows.use_code(connection, digest_of(said), now)
            if name is not None:
                before = rows.put_account(connection, name, via, account)
                self._note(connection, Actor(name, via), f"link {via}", _moved(name, before))
            return name

        found = self._ledger.write(use)
        if found is None:
            self._wrong.append(now)
        return found

    def _put(self, name: str, via: str, account: str, by: Actor) -> None:
        def put(connection: Connection) -> None:
            self._known(connection, name)
            before = rows.put_account(connection, name, via, account)
            action = f"link {via}" if account else f"unlink {via}"
            self._note(connection, by, action, _moved(name, before))

        self._ledger.write(put)

    def _note(self, connection: Connection, by: Actor, action: str, subject: str) -> None:
        at = self._clock.now().timestamp()
        record_audit(connection, by, at=at, action=action, subject=subject)

    @staticmethod
    def _known(connection: Connection, name: str) -> None:
        if people.person(connection, name) is None:
            raise NobodyError(f"there is nobody called {name[:_LONGEST]!r}")


def _moved(name: str, before: list[str]) -> str:
    return f"{name}, until now of {', '.join(before)}" if before else name
