"""The tables of access: people, the tokens of programs, sessions, links that open once.

Nothing here can be used to get in: passwords are hashes of scrypt, everything else is kept as
its SHA-256.
"""

from sqlalchemy import Column, Float, Index, Integer, Table, Text

from abops.alerts.store.schema import metadata, required

principal = Table(
    "principal",
    metadata,
    Column("name", Text, primary_key=True),
    required("role", Text),
    Column("password", Text, nullable=False, server_default=""),
    Column("email", Text, nullable=False, server_default=""),
    Column("slack", Text, nullable=False, server_default=""),
    Column("telegram", Text, nullable=False, server_default=""),
    Column("pagerduty", Text, nullable=False, server_default=""),
    required("created_at", Float),
    Column("disabled_at", Float),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until", Float),
)

token = Table(
    "token",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    required("scope", Text),
    required("created_at", Float),
    required("created_by", Text),
    Column("expires_at", Float),
    Column("used_at", Float),
    Column("revoked_at", Float),
)

session = Table(
    "session",
    metadata,
    Column("digest", Text, primary_key=True),
    required("principal", Text),
    required("csrf", Text),
    required("created_at", Float),
    required("expires_at", Float),
    Index("ix_session_principal", "principal"),
)

invitation = Table(
    "invitation",
    metadata,
    Column("digest", Text, primary_key=True),
    required("principal", Text),
    required("role", Text),
    required("created_at", Float),
    required("expires_at", Float),
    Column("used_at", Float),
)
