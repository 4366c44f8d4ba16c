"""What the business exporter asks, and what becomes of the answers. Pure: values in, values out.

Statements read aggregates only: no name, chat or message leaves the database.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

KEEP = timedelta(minutes=15)
"""A value older than this is not shown: an old figure looks like a true one."""


class Question(Struct, frozen=True):
    """One gauge: a statement whose last column is the value and whose others are the labels."""

    metric: str
    help: str
    labels: tuple[str, ...]
    statement: str


class Sample(Struct, frozen=True):
    """One value with its labels, and when it was read."""

    metric: str
    labels: tuple[str, ...]
    value: float
    read_at: datetime


QUESTIONS = (
    Question(
        "analyticbot_users",
        "Users by plan.",
        ("plan",),
        "SELECT p.name, count(u.id) FROM plans p LEFT JOIN users u ON u.plan_id = p.id GROUP BY 1",
    ),
    Question(
        "analyticbot_scheduled_posts",
        "Scheduled posts by status.",
        ("status",),
        "SELECT status, count(*) FROM scheduled_posts GROUP BY 1",
    ),
    Question(
        "analyticbot_overdue_posts",
        "Pending posts whose time has passed by more than a minute.",
        (),
        "SELECT count(*) FROM scheduled_posts"
        " WHERE status = 'pending' AND schedule_time < now() - interval '1 minute'",
    ),
    Question(
        "analyticbot_deliveries_total",
        "Deliveries by status, since the beginning.",
        ("status",),
        "SELECT status, count(*) FROM deliveries GROUP BY 1",
    ),
    Question(
        "analyticbot_subscriptions",
        "Subscriptions by plan and status.",
        ("plan", "status"),
        "SELECT p.name, s.status, count(*) FROM subscriptions s"
        " JOIN plans p ON p.id = s.plan_id GROUP BY 1, 2",
    ),
    Question(
        "analyticbot_mrr",
        "Monthly recurring revenue of active subscriptions, by plan, in units of the currency.",
        ("plan", "currency"),
        "SELECT p.name, p.currency,"
        " sum(CASE s.billing_cycle WHEN 'yearly' THEN s.amount / 12 ELSE s.amount END)"
        " FROM subscriptions s JOIN plans p ON p.id = s.plan_id"
        " WHERE s.status = 'active' GROUP BY 1, 2",
    ),
    Question(
        "analyticbot_active_users",
        "Users seen in the last days: 1d is today, 7d and 30d end today.",
        ("window",),
        "SELECT w.name, count(DISTINCT a.user_id)"
        " FROM (VALUES ('1d', 1), ('7d', 7), ('30d', 30)) AS w (name, days)"
        " LEFT JOIN user_activity_daily a"
        " ON a.day > (now() AT TIME ZONE 'utc')::date - w.days GROUP BY 1",
    ),
    Question(
        "analyticbot_new_users",
        "Users who came in the last 24 hours.",
        (),
        "SELECT count(*) FROM users WHERE created_at > now() - interval '1 day'",
    ),
    Question(
        "analyticbot_channels",
        "Channels that are watched.",
        (),
        "SELECT count(*) FROM channels",
    ),
    Question(
        "analyticbot_payments_total",
        "Payments by provider and status, since the beginning.",
        ("provider", "status"),
        "SELECT provider, status, count(*) FROM payments GROUP BY 1, 2",
    ),
    Question(
        "analyticbot_revenue_total",
        "Money from payments that succeeded, since the beginning, in units of the currency.",
        ("currency",),
        "SELECT currency, sum(amount) FROM payments WHERE status = 'succeeded' GROUP BY 1",
    ),
    Question(
        "analyticbot_canceled_subscriptions",
        "Subscriptions canceled in the last 30 days.",
        (),
        "SELECT count(*) FROM subscriptions WHERE canceled_at > now() - interval '30 days'",
    ),
    Question(
        "analyticbot_ending_trials",
        "Active subscriptions whose trial ends within three days.",
        (),
        "SELECT count(*) FROM subscriptions WHERE status = 'active'"
        " AND trial_ends_at BETWEEN now() AND now() + interval '3 days'",
    ),
)


def samples_of(question: Question, rows: list[tuple[Any, ...]], now: datetime) -> list[Sample]:
    """Turn the rows of a statement into samples."""
    return [
        Sample(question.metric, tuple(map(str, row[:-1])), float(row[-1] or 0), now) for row in rows
    ]


def is_current(sample: Sample, now: datetime) -> bool:
    """Tell whether a value may still be shown."""
    return now - sample.read_at <= KEEP


def waiting_since(message: bytes, now: datetime) -> timedelta:
    """Return how long a Celery message has waited; nothing when it does not say.

    The publisher writes `abops_sent_at`, in seconds since the epoch, into the headers.
    """
    try:
        sent_at = float(json.loads(message)["headers"]["abops_sent_at"])
    except (ValueError, KeyError, TypeError):
        return timedelta()
    return max(timedelta(), now - datetime.fromtimestamp(sent_at, UTC))
