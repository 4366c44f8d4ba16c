"""Which accounts in the chats belong to whom, and the codes by which people show that they do.

A code lives beside the invitations, under a mark that no invitation has: neither opens as the
other.
"""

from typing import Final

from sqlalchemy import Connection, select

from abops.alerts.store.schema_access import invitation, principal

_MARK: Final = "link:"
_ROLE: Final = "link"
VIAS: Final = ("slack", "telegram", "pagerduty")


def accounts(connection: Connection) -> dict[str, dict[str, str]]:
    """Return by name of whom which accounts are known."""
    rows = connection.execute(select(principal).order_by(principal.c.name))
    return {row.name: {via: getattr(row, via) for via in VIAS if getattr(row, via)} for row in rows}


def put_account(connection: Connection, name: str, via: str, account: str) -> list[str]:
    """Give an account to somebody, or take it away ("" ); return who had it before."""
    column = principal.c[via]
    before: list[str] = []
    if account:
        others = select(principal.c.name).where(column == account, principal.c.name != name)
        before = [row.name for row in connection.execute(others)]
        connection.execute(
            principal.update()
            .where(column == account, principal.c.name != name)
            .values({column: ""})
        )
    connection.execute(principal.update().where(principal.c.name == name).values({column: account}))
    return before


def add_code(connection: Connection, digest: str, name: str, span: tuple[float, float]) -> None:
    """Note a code; an earlier one of the same person counts no more."""
    at, until = span
    codes = invitation.c.role == _ROLE
    connection.execute(invitation.delete().where(codes, invitation.c.principal == name))
    connection.execute(invitation.delete().where(codes, invitation.c.expires_at <= at))
    connection.execute(
        invitation.insert().values(
            digest=_MARK + digest, principal=name, role=_ROLE, created_at=at, expires_at=until
        )
    )


def use_code(connection: Connection, digest: str, now: float) -> str | None:
    """Return whose code this is, and let it count no more. None: nobody's."""
    live = (
        invitation.c.digest == _MARK + digest,
        invitation.c.role == _ROLE,
        invitation.c.used_at.is_(None),
        invitation.c.expires_at > now,
    )
    row = connection.execute(select(invitation.c.principal).where(*live)).first()
    if row is None:
        return None
    used = connection.execute(invitation.update().where(*live).values(used_at=now))
    return str(row.principal) if used.rowcount else None
