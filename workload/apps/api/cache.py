"""Redis as a cache that may be missing.

A cache that is away is a cache that holds nothing. After a failure it is not asked again for a
second, so that a Redis which hangs costs one timeout a second and not one per request.
"""

import json
import logging
import time
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from abops_instrument.stores import instrument_redis

log = logging.getLogger("api.app")
TIMEOUT_S = 0.5
ASK_AGAIN_AFTER_S = 1.0


class Cache:
    """JSON values under keys."""

    def __init__(self, url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
            max_connections=50,
        )
        instrument_redis(self._redis)
        self._away_until = 0.0

    async def get(self, key: str) -> Any | None:  # noqa: ANN401 - whatever JSON holds
        """Return the value, or None when there is none or no cache."""
        if time.monotonic() < self._away_until:
            return None
        try:
            raw = await self._redis.get(key)
        except (RedisError, OSError) as error:
            self._went_away(error)
            return None
        return None if raw is None else json.loads(raw)

    async def put(self, key: str, value: object, ttl_s: int) -> None:
        """Keep the value for `ttl_s` seconds, if there is a cache."""
        if time.monotonic() < self._away_until:
            return
        try:
            await self._redis.set(key, json.dumps(value), ex=ttl_s)
        except (RedisError, OSError) as error:
            self._went_away(error)

    async def count(self, key: str, ttl_s: int) -> int:
        """Add one to a counter that forgets after `ttl_s`; 0 when there is no cache."""
        try:
            async with self._redis.pipeline() as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, ttl_s, nx=True)
                return int((await pipeline.execute())[0])
        except (RedisError, OSError) as error:
            self._went_away(error)
            return 0

    async def is_up(self) -> bool:
        """Tell whether Redis answers."""
        try:
            return bool(await self._redis.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        """Drop the connections."""
        await self._redis.aclose()

    def _went_away(self, error: Exception) -> None:
        self._away_until = time.monotonic() + ASK_AGAIN_AFTER_S
        log.warning("cache away: %s", type(error).__name__)
