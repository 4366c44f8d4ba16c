"""The tables, as the code sees them. Their history is in `migrations/versions`."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
)

SCHEMA_REVISION = "0004"
"""The oldest migration this code runs on. A database that is ahead of it is fine."""

metadata = MetaData()
_MOMENT = DateTime(timezone=True)
_MONEY = Numeric(12, 2)

plans = Table(
    "plans",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", String(40), nullable=False),
    Column("price_monthly", _MONEY, nullable=False),
    Column("price_yearly", _MONEY, nullable=False),
    Column("currency", String(3), nullable=False),
)
users = Table(
    "users",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # Telegram gives it
    Column("plan_id", ForeignKey("plans.id"), nullable=False),
    Column("created_at", _MOMENT, nullable=False),
)
credentials = Table(
    "credentials",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("login", String(64), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
)
channels = Table(
    "channels",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("title", String(200), nullable=False),
    Column("subscribers", Integer, nullable=False),
    Column("created_at", _MOMENT, nullable=False),
)
scheduled_posts = Table(
    "scheduled_posts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("channel_id", ForeignKey("channels.id"), nullable=False),
    Column("text", Text, nullable=False),
    # pending -> sending -> sent | failed; pending -> canceled
    Column("status", String(10), nullable=False),
    Column("schedule_time", _MOMENT, nullable=False),
    Column("claimed_at", _MOMENT),
    Column("created_at", _MOMENT, nullable=False),
)
sent_posts = Table(
    "sent_posts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("scheduled_post_id", ForeignKey("scheduled_posts.id"), nullable=False, unique=True),
    Column("channel_id", ForeignKey("channels.id"), nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("sent_at", _MOMENT, nullable=False),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("scheduled_post_id", ForeignKey("scheduled_posts.id"), nullable=False, unique=True),
    Column("status", String(10), nullable=False),  # pending, sent, failed, blocked
    Column("retry_count", Integer, nullable=False),
    Column("updated_at", _MOMENT, nullable=False),
)
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("plan_id", ForeignKey("plans.id"), nullable=False),
    Column("status", String(10), nullable=False),  # active, canceled, past_due
    Column("billing_cycle", String(10), nullable=False),  # monthly, yearly
    Column("amount", _MONEY, nullable=False),
    Column("trial_ends_at", _MOMENT),
    Column("canceled_at", _MOMENT),
    Column("created_at", _MOMENT, nullable=False),
)
payments = Table(
    "payments",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("subscription_id", ForeignKey("subscriptions.id"), nullable=False),
    Column("provider", String(10), nullable=False),  # stripe, payme, click
    Column("status", String(10), nullable=False),  # pending, succeeded, failed, canceled
    Column("amount", _MONEY, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_at", _MOMENT, nullable=False),
)
user_activity_daily = Table(
    "user_activity_daily",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("day", Date, primary_key=True),
)
post_views = Table(
    "post_views",
    metadata,
    Column("sent_post_id", ForeignKey("sent_posts.id", ondelete="CASCADE"), primary_key=True),
    Column("measured_at", _MOMENT, primary_key=True),
    Column("views", Integer, nullable=False),
)
channel_statistics = Table(
    "channel_statistics",
    metadata,
    Column("channel_id", ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True),
    Column("measured_at", _MOMENT, primary_key=True),
    Column("subscribers", Integer, nullable=False),
    Column("online", Integer, nullable=False),
)
