"""The tables of duty: who is woken when, what is kept silent, who was woken.

A timer is a row, so that it goes off after a restart as well. A silence is what somebody asked
for once; a window is one that was planned, and may come back every week.
"""

from sqlalchemy import Column, Float, Index, Integer, Table, Text

from abops.alerts.store.schema import metadata, part, required

timer = Table(
    "timer",
    metadata,
    Column("id", Integer, primary_key=True),
    required("incident", Integer),
    required("kind", Text),
    required("due", Float),
    Column("data", Text, nullable=False, server_default="{}"),
    Column("fired_at", Float),
    part("ix_timer_due", "due", where="fired_at IS NULL"),
    Index("ix_timer_incident", "incident"),
)

silence = Table(
    "silence",
    metadata,
    Column("id", Integer, primary_key=True),
    required("matchers", Text),
    required("reason", Text),
    required("starts_at", Float),
    required("ends_at", Float),
    required("created_at", Float),
    required("created_by", Text),
    Column("ended_at", Float),
    Column("ended_by", Text, nullable=False, server_default=""),
    Index("ix_silence_ends_at", "ends_at"),
)

window = Table(
    "window",
    metadata,
    Column("id", Integer, primary_key=True),
    required("name", Text),
    required("matchers", Text),
    required("reason", Text),
    Column("schedule", Text, nullable=False, server_default=""),
    Column("starts_at", Float),
    Column("ends_at", Float),
    required("created_at", Float),
    required("created_by", Text),
    Column("ended_at", Float),
    Column("ended_by", Text, nullable=False, server_default=""),
)

page = Table(
    "page",
    metadata,
    Column("id", Integer, primary_key=True),
    required("incident", Integer),
    required("at", Float),
    required("level", Integer),
    required("team", Text),
    required("person", Text),
    required("channel", Text),
    required("reason", Text),
    Index("ix_page_at", "at"),
    Index("ix_page_incident", "incident"),
)
