"""The tables. Moments are seconds since 1970 in UTC; labels and lists are JSON.

`event` is append-only: what was said. `alert` and `incident` are what follows from it, and
`outbox` what people have yet to be told. `schema_duty` holds who is to be woken when and what is
kept silent, `schema_learned` what was learned, `schema_access` who may do what. A change needs a
migration beside it; a test compares the two.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)


Wide = BigInteger().with_variant(Integer(), "sqlite")
"""A number that grows with every event; SQLite's integers are as wide as they need to be."""


def part(name: str, *columns: str, where: str) -> Index:
    """Return an index of those rows only that are looked for all the time."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def required(name: str, kind: type[Any] | TypeEngine[Any]) -> Column[Any]:
    """Return a column that always has a value."""
    return Column(name, kind, nullable=False)


event = Table(
    "event",
    metadata,
    Column("id", Wide, primary_key=True),
    Column("key", LargeBinary, nullable=False, unique=True),
    required("fingerprint", Text),
    required("status", Text),
    required("starts_at", Float),
    Column("ends_at", Float),
    required("received_at", Float),
    required("source", Text),
    required("labels", Text),
    required("annotations", Text),
    required("generator_url", Text),
)

alert = Table(
    "alert",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    required("name", Text),
    required("severity", Text),
    required("service", Text),
    required("env", Text),
    required("state", Text),
    required("labels", Text),
    required("annotations", Text),
    required("generator_url", Text),
    required("starts_at", Float),
    Column("ends_at", Float),
    required("ended_by", Text),
    Column("incident", Integer),
    Column("kind", Text, nullable=False, server_default=""),
    Column("suppressed", Text, nullable=False, server_default=""),
    Column("changes", Text, nullable=False, server_default=""),
    part("ix_alert_firing", "state", where="state = 'firing'"),
    Index("ix_alert_incident", "incident"),
)

incident = Table(
    "incident",
    metadata,
    Column("number", Integer, primary_key=True),
    required("title", Text),
    required("state", Text),
    required("severity", Text),
    required("service", Text),
    required("env", Text),
    required("team", Text),
    required("opened_at", Float),
    required("updated_at", Float),
    required("started_at", Float),
    Column("quiet_since", Float),
    Column("acked_at", Float),
    required("acked_by", Text),
    Column("resolved_at", Float),
    Column("recurs", Integer),
    required("alerts", Integer),
    required("firing", Integer),
    required("revision", Integer),
    required("channels", Text),
    required("runbook_url", Text),
    required("description", Text),
    Column("shape", Text, nullable=False, server_default="alerts"),
    Column("owner", Text, nullable=False, server_default=""),
    Column("merged_into", Integer),
    Column("score", Float),
    Column("score_terms", Text, nullable=False, server_default="[]"),
    Column("causes", Text, nullable=False, server_default="[]"),
    Column("level", Integer, nullable=False, server_default="0"),
    Column("paged_at", Float),
    Column("noise", Integer, nullable=False, server_default="0"),
    part("ix_incident_unresolved", "number", where="state <> 'resolved'"),
    Index("ix_incident_scope", "service", "env", "resolved_at"),
    Index("ix_incident_opened", "opened_at"),
)

member = Table(
    "member",
    metadata,
    Column("incident", Integer, ForeignKey("incident.number"), primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    required("reason", Text),
    required("joined_at", Float),
    required("state", Text),
    required("starts_at", Float),
    Column("ends_at", Float),
    required("ended_by", Text),
    Column("terms", Text, nullable=False, server_default="[]"),
    sqlite_with_rowid=False,
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", Integer, primary_key=True),
    required("incident", Integer),
    required("at", Float),
    required("kind", Text),
    required("text", Text),
    required("actor", Text),
    Index("ix_timeline_incident", "incident"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    required("incident", Integer),
    required("channel", Text),
    required("kind", Text),
    required("severity", Text),
    required("page", Integer),
    required("state", Text),
    required("attempts", Integer),
    required("since", Float),
    required("created_at", Float),
    required("next_at", Float),
    Column("delivered_at", Float),
    required("reference", Text),
    required("error", Text),
    part(
        "ix_outbox_waiting",
        "channel",
        "next_at",
        where="state IN ('pending', 'sending', 'retry')",
    ),
    Index("ix_outbox_incident", "incident", "channel"),
)

heartbeat = Table(
    "heartbeat", metadata, Column("source", Text, primary_key=True), required("at", Float)
)

rejected = Table(
    "rejected",
    metadata,
    Column("id", Integer, primary_key=True),
    required("at", Float),
    required("source", Text),
    Column("position", Integer),
    required("error", Text),
    required("content", LargeBinary),
)

counter = Table(
    "counter", metadata, Column("name", Text, primary_key=True), required("value", Wide)
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    required("at", Float),
    required("actor", Text),
    required("via", Text),
    required("action", Text),
    required("subject", Text),
)

command = Table(
    "command",
    metadata,
    Column("id", Integer, primary_key=True),
    required("at", Float),
    required("name", Text),
    required("arguments", Text),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("answer", Text, nullable=False, server_default=""),
    part("ix_command_waiting", "id", where="state = 'waiting'"),
)
"""What other replicas ask the leading one to do, until they have read the answer."""
