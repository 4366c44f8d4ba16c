"""What several replicas need: what they ask the leading one to do, and room for its numbers.

PostgreSQL only: numbers that outgrow four bytes, and the indexes of a part of a table, which the
first migration made for SQLite alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_WIDE = (("event", "id"), ("counter", "value"), ("learned", "event"))
_PARTIAL = (
    ("ix_alert_firing", "alert", ["state"], "state = 'firing'"),
    ("ix_incident_unresolved", "incident", ["number"], "state <> 'resolved'"),
    (
        "ix_outbox_waiting",
        "outbox",
        ["channel", "next_at"],
        "state IN ('pending', 'sending', 'retry')",
    ),
    ("ix_timer_due", "timer", ["due"], "fired_at IS NULL"),
)


def upgrade() -> None:
    """Create the table, and widen what was made for SQLite."""
    op.create_table(
        "command",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
    )
    op.create_index(
        "ix_command_waiting",
        "command",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _widen()


def _widen() -> None:
    for table, column in _WIDE:
        op.alter_column(table, column, type_=sa.BigInteger())
    for name, table, columns, where in _PARTIAL:
        op.drop_index(name, table)
        op.create_index(name, table, columns, unique=False, postgresql_where=sa.text(where))
