"""Redis as the task broker: how long the lists are, and their oldest message."""

import redis

from abops.kernel.errors import OpsError

TIMEOUT_S = 3


class RedisUnreachableError(OpsError):
    """Redis did not answer."""

    hint = "abops stack status redis; the address comes from the environment."


class BrokerReader:
    """Reads the queues of a Celery broker; a queue is a Redis list of its name."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )

    def queue(self, name: str) -> tuple[int, bytes | None]:
        """Return a queue's length and the message that waits longest: workers take the right end.

        Raises RedisUnreachableError.
        """
        try:
            length = int(self._client.llen(name))
            oldest = self._client.lindex(name, -1) if length else None
        except redis.RedisError as error:
            raise RedisUnreachableError(f"Redis: {type(error).__name__}") from error
        return length, oldest if isinstance(oldest, bytes) else None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
