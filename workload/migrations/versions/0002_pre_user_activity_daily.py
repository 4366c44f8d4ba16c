"""Who was active on which day: AnalyticBot has no last-seen column, and the boards need one."""
# ruff: noqa: INP001 - Alembic orders migrations by a number in front

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table; its key by day serves the counts over windows."""
    op.create_table(
        "user_activity_daily",
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
    )
    op.create_index("user_activity_daily_day", "user_activity_daily", ["day"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("user_activity_daily")
