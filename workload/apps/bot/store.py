"""What the bot remembers, in PostgreSQL and Redis."""

import json
import logging

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from abops_instrument.stores import instrument_engine, instrument_redis
from apps import clock
from apps.settings import Settings
from apps.storage.engines import async_engine
from apps.storage.tables import channels, sent_posts, user_activity_daily, users

log = logging.getLogger("bot.app")
FREE_PLAN = 1
STATS_LAST_S = 30


class BotStore:
    """Users that come, and the figures they ask for."""

    def __init__(self, config: Settings) -> None:
        self._engine = async_engine(config)
        instrument_engine(self._engine)
        self._redis = redis.asyncio.Redis.from_url(
            config.redis_url,
            socket_timeout=0.5,
            socket_connect_timeout=0.5,
            retry=Retry(NoBackoff(), 1),
        )
        instrument_redis(self._redis)

    async def saw(self, user_id: int) -> None:
        """Remember that this user was here today."""
        now = clock.now()
        async with self._engine.begin() as database:
            await database.execute(
                insert(users)
                .values(id=user_id, plan_id=FREE_PLAN, created_at=now)
                .on_conflict_do_nothing()
            )
            await database.execute(
                insert(user_activity_daily)
                .values(user_id=user_id, day=now.date())
                .on_conflict_do_nothing()
            )

    async def stats(self, user_id: int) -> dict[str, int]:
        """Return how many channels the user has, and posts in them; half a minute old at most."""
        key = f"bot:stats:{user_id}"
        kept = await self._kept(key)
        if kept is not None:
            return kept
        async with self._engine.connect() as database:
            row = (
                await database.execute(
                    select(func.count(channels.c.id.distinct()), func.count(sent_posts.c.id))
                    .select_from(channels)
                    .outerjoin(sent_posts, sent_posts.c.channel_id == channels.c.id)
                    .where(channels.c.user_id == user_id)
                )
            ).one()
        stats = {"channels": int(row[0]), "posts": int(row[1])}
        try:
            await self._redis.set(key, json.dumps(stats), ex=STATS_LAST_S)
        except (RedisError, OSError) as error:
            log.warning("cache away: %s", type(error).__name__)
        return stats

    async def close(self) -> None:
        """Drop the connections."""
        await self._redis.aclose()
        await self._engine.dispose()

    async def _kept(self, key: str) -> dict[str, int] | None:
        try:
            raw = await self._redis.get(key)
        except (RedisError, OSError) as error:
            log.warning("cache away: %s", type(error).__name__)
            return None
        return None if raw is None else {str(k): int(v) for k, v in json.loads(raw).items()}
