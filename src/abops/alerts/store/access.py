"""Reading and writing people, tokens, sessions and invitations. Only digests come in here."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from abops.alerts.access.person import Person
from abops.alerts.store.schema import audit
from abops.alerts.store.schema_access import invitation, principal, session, token


def people(connection: Connection) -> Sequence[Person]:
    """Return everybody, by name."""
    return [_person(row) for row in connection.execute(principal.select().order_by("name"))]


def person(connection: Connection, name: str) -> tuple[Person, str] | None:
    """Return somebody and the hash of their password."""
    row = connection.execute(principal.select().where(principal.c.name == name)).first()
    return None if row is None else (_person(row), row.password)


def anyone_administers(connection: Connection) -> bool:
    """Tell whether somebody can sign in who may invite others."""
    able = (
        principal.c.role == "admin",
        principal.c.password != "",
        principal.c.disabled_at.is_(None),
    )
    return bool(connection.execute(select(func.count()).where(*able)).scalar_one())


def put_person(connection: Connection, name: str, *, at: float, **values: Any) -> None:  # noqa: ANN401 - columns
    """Change somebody's columns; they are added when they are not there."""
    changed = connection.execute(
        principal.update().where(principal.c.name == name).values(**values)
    )
    if not changed.rowcount:
        connection.execute(principal.insert().values(name=name, created_at=at, **values))


def add_session(
    connection: Connection, digest: str, name: str, csrf: str, span: tuple[float, float]
) -> None:
    """Note that somebody signed in; sessions that are over are forgotten."""
    at, until = span
    connection.execute(session.delete().where(session.c.expires_at <= at))
    connection.execute(
        session.insert().values(
            digest=digest, principal=name, csrf=csrf, created_at=at, expires_at=until
        )
    )


def session_of(connection: Connection, digest: str, now: float) -> tuple[Person, str] | None:
    """Return whose session it is and its CSRF token; None when it is over or they are out."""
    row = connection.execute(
        select(principal, session.c.csrf)
        .join_from(session, principal, principal.c.name == session.c.principal)
        .where(session.c.digest == digest, session.c.expires_at > now)
        .where(principal.c.disabled_at.is_(None))
    ).first()
    return None if row is None else (_person(row), row.csrf)


def end_sessions(connection: Connection, *, digest: str = "", name: str = "") -> None:
    """End one session, or all of a person."""
    which = session.c.digest == digest if digest else session.c.principal == name
    connection.execute(session.delete().where(which))


def add_invitation(
    connection: Connection, digest: str, name: str, role: str, span: tuple[float, float]
) -> None:
    """Note a link that opens once; earlier ones of the same person open no more."""
    at, until = span
    connection.execute(
        invitation.delete().where(
            or_(invitation.c.principal == name, invitation.c.expires_at <= at)
        )
    )
    connection.execute(
        invitation.insert().values(
            digest=digest, principal=name, role=role, created_at=at, expires_at=until
        )
    )


def invitation_of(connection: Connection, digest: str, now: float) -> tuple[str, str] | None:
    """Return name and role of an invitation that still opens."""
    row = connection.execute(
        invitation.select().where(
            invitation.c.digest == digest,
            invitation.c.used_at.is_(None),
            invitation.c.expires_at > now,
        )
    ).first()
    return None if row is None else (row.principal, row.role)


def use_invitation(connection: Connection, digest: str, now: float) -> bool:
    """Mark it used; False when somebody was faster."""
    changed = connection.execute(
        invitation.update()
        .where(invitation.c.digest == digest, invitation.c.used_at.is_(None))
        .values(used_at=now)
    )
    return bool(changed.rowcount)


def add_token(connection: Connection, values: Mapping[str, Any]) -> bool:
    """Note a program's token; False when another token has the name."""
    if connection.execute(token.select().where(token.c.name == values["name"])).first():
        return False
    connection.execute(token.insert().values(**values))
    return True


def note_use(connection: Connection, digest: str, now: float) -> None:
    """Note when a token was last used."""
    connection.execute(token.update().where(token.c.digest == digest).values(used_at=now))


def token_of(connection: Connection, digest: str, now: float) -> tuple[str, str] | None:
    """Return name and scope of a token that is good."""
    row = connection.execute(
        token.select().where(
            token.c.digest == digest,
            token.c.revoked_at.is_(None),
            or_(token.c.expires_at.is_(None), token.c.expires_at > now),
        )
    ).first()
    return None if row is None else (row.name, row.scope)


def tokens(connection: Connection) -> Sequence[dict[str, Any]]:
    """Return the tokens without what could be used, the newest first."""
    found = connection.execute(token.select().order_by(token.c.created_at.desc()))
    return [{k: v for k, v in row._mapping.items() if k != "digest"} for row in found]  # noqa: SLF001 - SQLAlchemy's public name


def revoke_token(connection: Connection, name: str, now: float) -> bool:
    """End a token; False when there is none of this name that is good."""
    changed = connection.execute(
        token.update()
        .where(token.c.name == name, token.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return bool(changed.rowcount)


def audited(connection: Connection, *, limit: int, before: int | None) -> Sequence[dict[str, Any]]:
    """Return who did what, the newest first."""
    query = audit.select().order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name


def _person(row: Row[Any]) -> Person:
    return Person(
        name=row.name,
        role=row.role,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        failures=row.failures,
        locked_until=row.locked_until,
        has_password=bool(row.password),
    )
