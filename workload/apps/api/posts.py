"""Posts: stored first, then handed to the worker.

What was stored will be sent: when the queue is away, beat finds the post in the table. So the
answer is 202 either way, and says which of the two will happen.
"""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from apps import clock
from apps.api.resources import Held
from apps.storage.posts import new_post
from apps.storage.tables import channels, deliveries, scheduled_posts
from infra.celery.registration import QueueAwayError
from infra.celery.tasks import send_message_task

router = APIRouter(prefix="/posts", tags=["posts"])


class NewPost(BaseModel):
    """What to send, where, and when (now, unless said)."""

    channel_id: int = Field(ge=1, lt=2**63)
    text: str = Field(min_length=1, max_length=4096)
    schedule_time: AwareDatetime | None = None


class Accepted(BaseModel):
    """The post is stored and will be sent."""

    id: int
    status: Literal["queued", "scheduled"]


class PostState(BaseModel):
    """How far a post has come."""

    id: int
    status: str
    schedule_time: datetime
    delivery: str | None


@router.post("", status_code=202)
async def create_post(post: NewPost, resources: Held) -> Accepted:
    """Store a post; send it at once when its time has come."""
    now = clock.now()
    when = post.schedule_time or now
    # Committed before it is queued: the worker may be faster than we are.
    try:
        async with resources.engine.begin() as database:
            owner = await database.scalar(
                select(channels.c.user_id).where(channels.c.id == post.channel_id)
            )
            if owner is None:
                raise HTTPException(404, "no such channel")
            post_id = await database.scalar(
                new_post(
                    {
                        "user_id": owner,
                        "channel_id": post.channel_id,
                        "text": post.text,
                        "schedule_time": when,
                    },
                    now,
                )
            )
    except IntegrityError as error:
        raise HTTPException(409, "the channel has just been removed") from error
    if post_id is None:
        raise HTTPException(500, "the post has no id")
    if when > now:
        return Accepted(id=post_id, status="scheduled")
    try:
        await resources.queue.send(send_message_task, post_id)
    except QueueAwayError:
        return Accepted(id=post_id, status="scheduled")
    return Accepted(id=post_id, status="queued")


@router.get("/{post_id}")
async def get_post(post_id: int, resources: Held) -> PostState:
    """Say how far a post has come."""
    async with resources.engine.connect() as database:
        row = (
            await database.execute(
                select(
                    scheduled_posts.c.id,
                    scheduled_posts.c.status,
                    scheduled_posts.c.schedule_time,
                    deliveries.c.status.label("delivery"),
                )
                .outerjoin(deliveries, deliveries.c.scheduled_post_id == scheduled_posts.c.id)
                .where(scheduled_posts.c.id == post_id)
            )
        ).one_or_none()
    if row is None:
        raise HTTPException(404, "no such post")
    return PostState.model_validate(dict(row._mapping))  # noqa: SLF001 - Row's API
