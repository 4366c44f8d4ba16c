"""The last good answer while its source is away: an old picture, with its age, beats none."""

from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from abops.clients.answers import Answers
from abops.clients.prometheus_queries import PrometheusError

T = TypeVar("T", bound=Struct)


async def last_good(answers: Answers[T], question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
    """Return the answer; while Prometheus fails the last one, with the error as its `problem`.

    Raises PrometheusError when there was none yet.
    """
    try:
        return await answers.get(question, ask)
    except PrometheusError as error:
        kept = answers.last(question)
        if kept is None:
            raise
        return replace(kept[0], problem=error)
