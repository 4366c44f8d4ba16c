"""The tables. Moments are seconds since 1970 in UTC; labels and lists are JSON.

`event` is append-only: what was said. `alert` and `incident` are what follows from it, and
`outbox` what people have yet to be told. A change here needs a migration beside it; a test
compares the two.
"""

from typing import Any

from sqlalchemy import (
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

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)


def _required(name: str, kind: type[Any]) -> Column[Any]:
    return Column(name, kind, nullable=False)


event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", LargeBinary, nullable=False, unique=True),
    _required("fingerprint", Text),
    _required("status", Text),
    _required("starts_at", Float),
    Column("ends_at", Float),
    _required("received_at", Float),
    _required("source", Text),
    _required("labels", Text),
    _required("annotations", Text),
    _required("generator_url", Text),
)

alert = Table(
    "alert",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    _required("name", Text),
    _required("severity", Text),
    _required("service", Text),
    _required("env", Text),
    _required("state", Text),
    _required("labels", Text),
    _required("annotations", Text),
    _required("generator_url", Text),
    _required("starts_at", Float),
    Column("ends_at", Float),
    _required("ended_by", Text),
    Column("incident", Integer),
    Index("ix_alert_firing", "state", sqlite_where=text("state = 'firing'")),
    Index("ix_alert_incident", "incident"),
)

incident = Table(
    "incident",
    metadata,
    Column("number", Integer, primary_key=True),
    _required("title", Text),
    _required("state", Text),
    _required("severity", Text),
    _required("service", Text),
    _required("env", Text),
    _required("team", Text),
    _required("opened_at", Float),
    _required("updated_at", Float),
    _required("started_at", Float),
    Column("quiet_since", Float),
    Column("acked_at", Float),
    _required("acked_by", Text),
    Column("resolved_at", Float),
    Column("recurs", Integer),
    _required("alerts", Integer),
    _required("firing", Integer),
    _required("revision", Integer),
    _required("channels", Text),
    _required("runbook_url", Text),
    _required("description", Text),
    Index("ix_incident_unresolved", "number", sqlite_where=text("state <> 'resolved'")),
    Index("ix_incident_scope", "service", "env", "resolved_at"),
    Index("ix_incident_opened", "opened_at"),
)

member = Table(
    "member",
    metadata,
    Column("incident", Integer, ForeignKey("incident.number"), primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    _required("reason", Text),
    _required("joined_at", Float),
    _required("state", Text),
    _required("starts_at", Float),
    Column("ends_at", Float),
    _required("ended_by", Text),
    sqlite_with_rowid=False,
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("incident", Integer),
    _required("at", Float),
    _required("kind", Text),
    _required("text", Text),
    _required("actor", Text),
    Index("ix_timeline_incident", "incident"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    _required("incident", Integer),
    _required("channel", Text),
    _required("kind", Text),
    _required("severity", Text),
    _required("page", Integer),
    _required("state", Text),
    _required("attempts", Integer),
    _required("since", Float),
    _required("created_at", Float),
    _required("next_at", Float),
    Column("delivered_at", Float),
    _required("reference", Text),
    _required("error", Text),
    Index(
        "ix_outbox_waiting",
        "channel",
        "next_at",
        sqlite_where=text("state IN ('pending', 'sending', 'retry')"),
    ),
    Index("ix_outbox_incident", "incident", "channel"),
)

heartbeat = Table(
    "heartbeat", metadata, Column("source", Text, primary_key=True), _required("at", Float)
)

rejected = Table(
    "rejected",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("at", Float),
    _required("source", Text),
    Column("position", Integer),
    _required("error", Text),
    _required("content", LargeBinary),
)

counter = Table(
    "counter", metadata, Column("name", Text, primary_key=True), _required("value", Integer)
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("at", Float),
    _required("actor", Text),
    _required("via", Text),
    _required("action", Text),
    _required("subject", Text),
)
