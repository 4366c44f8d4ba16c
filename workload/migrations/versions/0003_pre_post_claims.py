"""A worker claims a post before it sends it, so that a repeated task does not send it twice."""
# ruff: noqa: INP001 - Alembic orders migrations by a number in front

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the claim, and the index by which due posts are found."""
    op.add_column("scheduled_posts", sa.Column("claimed_at", sa.DateTime(timezone=True)))
    op.create_index(
        "scheduled_posts_due",
        "scheduled_posts",
        ["schedule_time"],
        postgresql_where=sa.text("status IN ('pending', 'sending')"),
    )


def downgrade() -> None:
    """Take both away."""
    op.drop_index("scheduled_posts_due")
    op.drop_column("scheduled_posts", "claimed_at")
