"""Figures: a quick summary, a channel's last days, and reports made by the worker."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel
from sqlalchemy import Date, cast, func, select

from apps import clock
from apps.api.resources import Database, Held
from apps.storage.keys import REPORT_KEY, SUMMARY_KEY
from apps.storage.tables import channels, scheduled_posts, sent_posts, users
from infra.celery.registration import QueueAwayError
from infra.celery.tasks import process_analytics

router = APIRouter(prefix="/analytics", tags=["analytics"])
CACHED_S = 30


class Summary(BaseModel):
    """How much there is of everything."""

    users: int
    channels: int
    posts: int


class Day(BaseModel):
    """One day of a channel."""

    day: str
    posts: int


class Report(BaseModel):
    """What the worker found in a channel."""

    posts: int
    views: int
    best: int


@router.get("/summary")
async def summary(database: Database, resources: Held) -> Summary:
    """Count everything; the worker keeps the figures, the database knows them too."""
    kept = await resources.cache.get(SUMMARY_KEY)
    if kept is None:
        kept = {
            name: await database.scalar(select(func.count()).select_from(table)) or 0
            for name, table in (
                ("users", users),
                ("channels", channels),
                ("posts", scheduled_posts),
            )
        }
        await resources.cache.put(SUMMARY_KEY, kept, CACHED_S)
    return Summary.model_validate(kept)


@router.get("/channels/{channel_id}/daily")
async def daily(
    channel_id: int, database: Database, days: Annotated[int, Query(ge=1, le=90)] = 7
) -> list[Day]:
    """Return how many posts a channel got on each of the last days."""
    day = cast(sent_posts.c.sent_at, Date)
    rows = await database.execute(
        select(day.label("day"), func.count().label("posts"))
        .where(
            sent_posts.c.channel_id == channel_id,
            sent_posts.c.sent_at > clock.now() - timedelta(days=days),
        )
        .group_by(day)
        .order_by(day)
    )
    return [Day(day=row.day.isoformat(), posts=row.posts) for row in rows]


@router.post("/channels/{channel_id}/reports", status_code=202)
async def request_report(
    channel_id: int, resources: Held, report: Literal["json", "csv", "pdf"] = "json"
) -> dict[str, str]:
    """Have a report made; without a queue there is nobody to make it."""
    try:
        task_id = await resources.queue.send(process_analytics, channel_id, report)
    except QueueAwayError as error:
        raise HTTPException(503, "no reports just now", {"Retry-After": "5"}) from error
    return {"task": task_id}


@router.get("/channels/{channel_id}/reports/latest")
async def latest_report(channel_id: int, resources: Held) -> Report:
    """Return the newest report; it is kept for an hour."""
    kept = await resources.cache.get(f"{REPORT_KEY}:{channel_id}")
    if kept is None:
        raise HTTPException(404, "no report; ask for one")
    return Report.model_validate(kept)
