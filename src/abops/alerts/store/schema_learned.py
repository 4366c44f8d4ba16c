"""The tables of what was learned, and of what it is learned from.

`learned` holds the memory of a part (which kinds come together, what is a flood, what needs a
person) as of one event; what came after is replayed. A label is what people showed by what they
did. Edges say what depends on what and are forgotten when nothing confirms them; a change is a
deploy, a migration, a switch.
"""

from sqlalchemy import Column, Float, Index, Integer, Table, Text

from abops.alerts.store.schema import Wide, metadata, required

learned = Table(
    "learned",
    metadata,
    Column("name", Text, primary_key=True),
    required("at", Float),
    required("event", Wide),
    required("content", Text),
)

label = Table(
    "label",
    metadata,
    Column("incident", Integer, primary_key=True),
    required("kind", Text),
    required("value", Integer),
    required("reason", Text),
    required("features", Text),
    required("at", Float),
    Index("ix_label_at", "at"),
)

edge = Table(
    "edge",
    metadata,
    Column("source", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("relation", Text, primary_key=True),
    required("origin", Text),
    required("seen_at", Float),
)

change = Table(
    "change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    required("at", Float),
    required("kind", Text),
    required("service", Text),
    required("env", Text),
    required("title", Text),
    required("url", Text),
    required("actor", Text),
    Index("ix_change_at", "at"),
)

storm = Table(
    "storm",
    metadata,
    Column("id", Integer, primary_key=True),
    required("scope", Text),
    required("incident", Integer),
    required("began_at", Float),
    Column("ended_at", Float),
    required("rate", Float),
    required("baseline", Float),
    required("alerts", Integer),
    required("digested", Integer),
    required("paged_alone", Integer),
    Column("representatives", Text, nullable=False, server_default="[]"),
    Index("ix_storm_began_at", "began_at"),
)
