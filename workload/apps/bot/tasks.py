"""The tasks that beat sends."""

import json
import os
import random
from datetime import timedelta

from sqlalchemy import delete, func, insert, select

from apps import clock
from apps.storage import posts
from apps.storage.keys import KEPT_S, SUMMARY_KEY
from apps.storage.tables import (
    channel_statistics,
    channels,
    post_views,
    scheduled_posts,
    sent_posts,
    users,
)
from infra.celery.celery_app import app
from infra.celery.registration import QueueAwayError, task
from infra.celery.resources import cache, engine, fail_if_told, telegram
from infra.celery.schedule import intervals
from infra.celery.tasks import send_message_task

POSTS_PER_TICK = 500
VIEWS_PER_TICK = 200
VIEWS_LAST = timedelta(days=30)
GIVE_UP_AFTER = timedelta(days=1)


@task(app, "bot.tasks.send_scheduled_message")
def send_scheduled_message() -> int:
    """Queue what falls due before the next tick, each for its own second.

    Looking one tick ahead is what makes posts punctual: queued when already due, they would
    be late by half a tick on average.
    """
    fail_if_told("bot.tasks.send_scheduled_message")
    tick_s = intervals(os.environ.get("BEAT_INTERVALS", ""))["send_scheduled_message"]
    now = clock.now()
    with engine().connect() as connection:
        due = posts.due(
            connection, now=now, until=now + timedelta(seconds=tick_s), limit=POSTS_PER_TICK
        )
    for number, (post_id, schedule_time) in enumerate(due):
        try:
            send_message_task.queue_in((schedule_time - now).total_seconds(), post_id)
        except QueueAwayError:
            return number  # the rest stays pending; the next tick finds it
    return len(due)


@task(app, "bot.tasks.update_post_views_task")
def update_post_views_task() -> int:
    """Measure the newest posts again; Telegram has no method for it, so views are drawn."""
    fail_if_told("bot.tasks.update_post_views_task")
    now = clock.now()
    newest = (
        select(sent_posts.c.id, channels.c.subscribers, sent_posts.c.sent_at)
        .join(channels, channels.c.id == sent_posts.c.channel_id)
        .order_by(sent_posts.c.id.desc())
        .limit(VIEWS_PER_TICK)
    )
    with engine().begin() as connection:
        rows = [
            {
                "sent_post_id": row.id,
                "measured_at": now,
                "views": _views(row.subscribers, (now - row.sent_at).total_seconds(), row.id),
            }
            for row in connection.execute(newest)
        ]
        if rows:
            connection.execute(insert(post_views), rows)
    return len(rows)


def _views(subscribers: int, age_s: float, post_id: int) -> int:
    """Return how many have seen a post of this age: half of its audience within six hours."""
    appeal = random.Random(post_id).uniform(0.1, 0.6)  # noqa: S311 - example data
    return int(subscribers * appeal * age_s / (age_s + 6 * 3600))


@task(app, "bot.tasks.health_check_task")
def health_check_task() -> dict[str, str]:
    """Look whether the things that tasks need answer."""
    fail_if_told("bot.tasks.health_check_task")
    with engine().connect() as connection:
        connection.execute(select(1))
    cache().ping()
    with telegram() as line:
        line.call("getMe")
    return {"database": "ok", "redis": "ok", "telegram": "ok"}


@task(app, "bot.tasks.update_prometheus_metrics")
def update_prometheus_metrics() -> dict[str, int]:
    """Keep the summary that the api shows.

    Upstream set gauges here, which went stale between two runs; the business exporter
    reads the tables instead. The task keeps its name and its place in the schedule.
    """
    fail_if_told("bot.tasks.update_prometheus_metrics")
    with engine().connect() as connection:
        summary = {
            "users": connection.scalar(select(func.count()).select_from(users)) or 0,
            "channels": connection.scalar(select(func.count()).select_from(channels)) or 0,
            "posts": connection.scalar(select(func.count()).select_from(scheduled_posts)) or 0,
        }
    cache().set(SUMMARY_KEY, json.dumps(summary), ex=KEPT_S)
    return summary


@task(app, "bot.tasks.cleanup_metrics_task")
def cleanup_metrics_task() -> int:
    """Delete measurements of posts and channels older than 30 days; return how many."""
    fail_if_told("bot.tasks.cleanup_metrics_task")
    before = clock.now() - VIEWS_LAST
    with engine().begin() as connection:
        return sum(
            connection.execute(delete(table).where(table.c.measured_at < before)).rowcount
            for table in (post_views, channel_statistics)
        )


@task(app, "bot.tasks.maintenance_cleanup")
def maintenance_cleanup() -> int:
    """Give up on posts that are a day late; return how many."""
    fail_if_told("bot.tasks.maintenance_cleanup")
    with engine().begin() as connection:
        return posts.fail_overdue(connection, clock.now() - GIVE_UP_AFTER)
