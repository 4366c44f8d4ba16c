"""The tables that AnalyticBot 4.6.0 brings."""
# ruff: noqa: INP001 - Alembic orders migrations by a number in front

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)
_MONEY = sa.Numeric(12, 2)


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True)


def _ref(name: str, target: str, *, unique: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(target), nullable=False, unique=unique)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, _MOMENT, nullable=nullable)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "plans",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("price_monthly", _MONEY, nullable=False),
        sa.Column("price_yearly", _MONEY, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
    )
    _people()
    _posts()
    _money()


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("plan_id", sa.SmallInteger, sa.ForeignKey("plans.id"), nullable=False),
        _moment("created_at"),
    )
    op.create_table(
        "credentials",
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("login", sa.String(64), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(200), nullable=False),
    )
    op.create_table(
        "channels",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        _ref("user_id", "users.id"),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("subscribers", sa.Integer, nullable=False),
        _moment("created_at"),
    )
    op.create_index("channels_user_id", "channels", ["user_id"])


def _posts() -> None:
    op.create_table(
        "scheduled_posts",
        _number(),
        _ref("user_id", "users.id"),
        _ref("channel_id", "channels.id"),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        _moment("schedule_time"),
        _moment("created_at"),
        sa.CheckConstraint(
            "status IN ('pending', 'sending', 'sent', 'failed', 'canceled')", name="status_known"
        ),
    )
    op.create_table(
        "sent_posts",
        _number(),
        _ref("scheduled_post_id", "scheduled_posts.id", unique=True),
        _ref("channel_id", "channels.id"),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        _moment("sent_at"),
    )
    op.create_index("sent_posts_channel_id_sent_at", "sent_posts", ["channel_id", "sent_at"])
    op.create_table(
        "deliveries",
        _number(),
        _ref("scheduled_post_id", "scheduled_posts.id", unique=True),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("retry_count", sa.Integer, nullable=False),
        _moment("updated_at"),
    )
    op.create_table(
        "post_views",
        sa.Column(
            "sent_post_id",
            sa.BigInteger,
            sa.ForeignKey("sent_posts.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("measured_at", _MOMENT, primary_key=True),
        sa.Column("views", sa.Integer, nullable=False),
    )


def _money() -> None:
    op.create_table(
        "subscriptions",
        _number(),
        _ref("user_id", "users.id"),
        sa.Column("plan_id", sa.SmallInteger, sa.ForeignKey("plans.id"), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("billing_cycle", sa.String(10), nullable=False),
        sa.Column("amount", _MONEY, nullable=False),
        _moment("trial_ends_at", nullable=True),
        _moment("canceled_at", nullable=True),
        _moment("created_at"),
    )
    op.create_index("subscriptions_user_id", "subscriptions", ["user_id"])
    op.create_table(
        "payments",
        _number(),
        _ref("subscription_id", "subscriptions.id"),
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("amount", _MONEY, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        _moment("created_at"),
    )
    op.create_index("payments_created_at", "payments", ["created_at"])


def downgrade() -> None:
    """Drop the tables, leaves first."""
    for table in (
        "payments",
        "subscriptions",
        "post_views",
        "deliveries",
        "sent_posts",
        "scheduled_posts",
        "channels",
        "credentials",
        "users",
        "plans",
    ):
        op.drop_table(table)
