"""Channels, as their owners see them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel
from sqlalchemy import func, select

from apps.api.resources import Database, Held
from apps.storage.tables import channels, sent_posts

router = APIRouter(prefix="/channels", tags=["channels"])
CACHED_S = 15


class Channel(BaseModel):
    """One channel."""

    id: int
    title: str
    subscribers: int
    created_at: datetime


class ChannelDetail(Channel):
    """One channel, with what was sent to it."""

    posts_sent: int


@router.get("")
async def list_channels(
    database: Database,
    after: Annotated[int, Query(ge=0, description="the last id of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[Channel]:
    """List channels, a page at a time."""
    rows = await database.execute(
        select(channels.c.id, channels.c.title, channels.c.subscribers, channels.c.created_at)
        .where(channels.c.id > after)
        .order_by(channels.c.id)
        .limit(limit)
    )
    return [Channel.model_validate(dict(row._mapping)) for row in rows]  # noqa: SLF001 - Row's API


@router.get("/{channel_id}")
async def get_channel(channel_id: int, database: Database, resources: Held) -> ChannelDetail:
    """Return one channel."""
    row = (
        await database.execute(
            select(
                channels.c.id, channels.c.title, channels.c.subscribers, channels.c.created_at
            ).where(channels.c.id == channel_id)
        )
    ).one_or_none()
    if row is None:
        raise HTTPException(404, "no such channel")
    key = f"channel:{channel_id}:posts"
    sent = await resources.cache.get(key)
    if sent is None:
        sent = await database.scalar(
            select(func.count())
            .select_from(sent_posts)
            .where(sent_posts.c.channel_id == channel_id)
        )
        await resources.cache.put(key, sent, CACHED_S)
    return ChannelDetail.model_validate(
        {**row._mapping, "posts_sent": sent}  # noqa: SLF001 - Row's API
    )
