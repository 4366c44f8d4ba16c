"""A post's way from pending to sent, as SQL.

A worker claims a post before it sends it; whoever comes second gets nothing. So the same post
may be queued many times (by the api, by beat, by a retry) and is sent once. Only a worker that
dies between sending and writing so leaves a claim behind; it is taken over after a while, and
then the post may be sent twice: at least once, as Telegram allows no better.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, and_, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from apps.storage.tables import deliveries, scheduled_posts, sent_posts

CLAIM_LASTS = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Post:
    """What is needed to send one."""

    id: int
    channel_id: int
    text: str
    schedule_time: datetime


def new_post(values: dict[str, Any], now: datetime) -> Insert:
    """Return the statement that stores a post and gives its id."""
    return (
        insert(scheduled_posts)
        .values(**values, status="pending", created_at=now)
        .returning(scheduled_posts.c.id)
    )


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(
        scheduled_posts.c.status == "pending",
        and_(
            scheduled_posts.c.status == "sending",
            scheduled_posts.c.claimed_at < now - CLAIM_LASTS,
        ),
    )


def due(
    connection: Connection, *, now: datetime, until: datetime, limit: int
) -> list[tuple[int, datetime]]:
    """Return ids and times of posts that fall due before `until`, the oldest first."""
    rows = connection.execute(
        select(scheduled_posts.c.id, scheduled_posts.c.schedule_time)
        .where(scheduled_posts.c.schedule_time <= until, _is_free(now))
        .order_by(scheduled_posts.c.schedule_time)
        .limit(limit)
    )
    return [(row.id, row.schedule_time) for row in rows]


def claim(connection: Connection, post_id: int, now: datetime) -> Post | None:
    """Take the post for this worker; None when it is taken, sent or gone."""
    row = connection.execute(
        update(scheduled_posts)
        .where(scheduled_posts.c.id == post_id, _is_free(now))
        .values(status="sending", claimed_at=now)
        .returning(
            scheduled_posts.c.id,
            scheduled_posts.c.channel_id,
            scheduled_posts.c.text,
            scheduled_posts.c.schedule_time,
        )
    ).one_or_none()
    return None if row is None else Post(*row)


def give_back(connection: Connection, post: Post, now: datetime) -> None:
    """Let another attempt have it."""
    _set_status(connection, post, "pending")
    _set_delivery(connection, post, "pending", now, retries=1)


def mark_sent(connection: Connection, post: Post, message_id: int, now: datetime) -> None:
    """Write down that it is out."""
    _set_status(connection, post, "sent")
    connection.execute(
        upsert(sent_posts)
        .values(
            scheduled_post_id=post.id,
            channel_id=post.channel_id,
            message_id=message_id,
            sent_at=now,
        )
        .on_conflict_do_nothing()
    )
    _set_delivery(connection, post, "sent", now)


def mark_failed(connection: Connection, post: Post, status: str, now: datetime) -> None:
    """Write down that it will never be out; `status` is failed or blocked."""
    _set_status(connection, post, "failed")
    _set_delivery(connection, post, status, now)


def fail_overdue(connection: Connection, before: datetime) -> int:
    """Give up on posts that were due before `before`; return how many."""
    return connection.execute(
        update(scheduled_posts)
        .where(scheduled_posts.c.status == "pending", scheduled_posts.c.schedule_time < before)
        .values(status="failed")
    ).rowcount


def _set_status(connection: Connection, post: Post, status: str) -> None:
    connection.execute(
        update(scheduled_posts)
        .where(scheduled_posts.c.id == post.id)
        .values(status=status, claimed_at=None)
    )


def _set_delivery(
    connection: Connection, post: Post, status: str, now: datetime, *, retries: int = 0
) -> None:
    statement = upsert(deliveries).values(
        scheduled_post_id=post.id, status=status, retry_count=retries, updated_at=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["scheduled_post_id"],
            set_={
                "status": status,
                "retry_count": deliveries.c.retry_count + retries,
                "updated_at": func.greatest(deliveries.c.updated_at, now),
            },
        )
    )
