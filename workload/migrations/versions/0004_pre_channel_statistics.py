"""How many follow a channel, measured again and again by the accounts of `apps.mtproto`."""
# ruff: noqa: INP001 - Alembic orders migrations by a number in front

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table; by the index old rows are found."""
    op.create_table(
        "channel_statistics",
        sa.Column(
            "channel_id",
            sa.BigInteger,
            sa.ForeignKey("channels.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("measured_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("subscribers", sa.Integer, nullable=False),
        sa.Column("online", sa.Integer, nullable=False),
    )
    op.create_index("channel_statistics_measured_at", "channel_statistics", ["measured_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("channel_statistics")
