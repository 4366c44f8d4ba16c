"""The tasks of the house: send one post, analyse one channel, throw old data away."""

import json
import time
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select

from apps import clock
from apps.bot.sender import BlockedError, TelegramError, TryAgainError
from apps.storage import posts
from apps.storage.engines import is_away
from apps.storage.keys import KEPT_S, REPORT_KEY
from apps.storage.tables import deliveries, post_views, scheduled_posts, sent_posts
from infra.celery import tally
from infra.celery.celery_app import app
from infra.celery.registration import bound_task, task
from infra.celery.resources import cache, engine, fail_if_told, telegram

DATA_LASTS = timedelta(days=90)
DATABASE_RETRY_S = 3


@bound_task(app, "infra.celery.tasks.send_message_task", max_retries=3)
def send_message_task(self: Any, post_id: int) -> str:
    """Send one post, once; after three refusals leave it to beat, which finds it pending."""
    fail_if_told(self.name)
    try:
        with engine().begin() as connection:
            post = posts.claim(connection, post_id, clock.now())
    except Exception as error:
        if is_away(error):
            raise self.retry(exc=error, countdown=DATABASE_RETRY_S) from error
        raise
    if post is None:
        return "taken"
    try:
        with telegram() as line:
            message_id = line.send_message(post.channel_id, post.text)
    except TryAgainError as error:
        with engine().begin() as connection:
            posts.give_back(connection, post, clock.now())
        raise self.retry(exc=error, countdown=error.retry_after_s) from error
    except TelegramError as error:
        return _refused(post, error)
    sent_at = clock.now()
    with engine().begin() as connection:
        posts.mark_sent(connection, post, message_id, sent_at)
    tally.add(tally.POSTS, 1, "sent")
    tally.add(tally.POST_DELAY, max(0.0, (sent_at - post.schedule_time).total_seconds()))
    return "sent"


def _refused(post: posts.Post, error: TelegramError) -> str:
    status = "blocked" if isinstance(error, BlockedError) else "failed"
    with engine().begin() as connection:
        posts.mark_failed(connection, post, status, clock.now())
    if status == "blocked":
        tally.add(tally.BLOCKED)
    tally.add(tally.POSTS, 1, status)
    return status


@task(app, "infra.celery.tasks.process_analytics")
def process_analytics(channel_id: int, report: str = "json") -> dict[str, int]:
    """Sum up a channel's posts and views, and keep the sums for whoever asked."""
    fail_if_told("infra.celery.tasks.process_analytics")
    started = time.perf_counter()
    latest = (
        select(post_views.c.sent_post_id, func.max(post_views.c.views).label("views"))
        .join(sent_posts, sent_posts.c.id == post_views.c.sent_post_id)
        .where(sent_posts.c.channel_id == channel_id)
        .group_by(post_views.c.sent_post_id)
        .subquery()
    )
    with engine().connect() as connection:
        row = connection.execute(
            select(
                func.count(),
                func.coalesce(func.sum(latest.c.views), 0),
                func.coalesce(func.max(latest.c.views), 0),
            ).select_from(latest)
        ).one()
    tally.add(tally.ANALYSIS, time.perf_counter() - started)
    tally.add(tally.REPORTS, 1, report if report in {"json", "csv", "pdf"} else "other")
    found = {"posts": int(row[0]), "views": int(row[1]), "best": int(row[2])}
    cache().set(f"{REPORT_KEY}:{channel_id}", json.dumps(found), ex=KEPT_S)
    return found


@task(app, "infra.celery.tasks.cleanup_old_data")
def cleanup_old_data() -> int:
    """Delete what is older than 90 days; return how many posts went."""
    fail_if_told("infra.celery.tasks.cleanup_old_data")
    before = clock.now() - DATA_LASTS
    old = select(scheduled_posts.c.id).where(scheduled_posts.c.schedule_time < before)
    with engine().begin() as connection:
        connection.execute(delete(deliveries).where(deliveries.c.scheduled_post_id.in_(old)))
        connection.execute(delete(sent_posts).where(sent_posts.c.scheduled_post_id.in_(old)))
        return connection.execute(
            delete(scheduled_posts).where(scheduled_posts.c.schedule_time < before)
        ).rowcount
