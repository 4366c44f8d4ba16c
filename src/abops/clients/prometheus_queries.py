"""Prometheus' query API, for many questions at once.

A board asks dozens of questions together. They share a pool of connections, six are under way
at a time (Prometheus would queue the rest anyway, and rules are evaluated beside us), each has
ten seconds, and an answer that is larger than a chart can hold is dropped while it arrives.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import httpx2
import msgspec
from msgspec import Raw, Struct

from abops.kernel.errors import OpsError

TIMEOUT_S: Final = 10.0
WITH_WAITING_S: Final = 20.0
"""Seconds for a question and the wait for its turn: behind a Prometheus that hangs the tenth
reader's question must fail as well, not wait for the nine before it."""
PARALLEL: Final = 6
ANSWER_AT_MOST: Final = 32 * 2**20
"""Bytes; 200 series of 11,000 points each would be three times that, and no picture."""

EXEMPLARS_AT_MOST: Final = 3 * 2**20
"""Bytes, some 20,000 exemplars: reading more would hold up whoever shares our event loop."""
HALVINGS: Final = 8


class PrometheusError(OpsError):
    """Prometheus did not answer the question."""

    hint = "See whether it runs: `abops stack status`."


class PrometheusUnreachableError(PrometheusError):
    """Prometheus does not answer."""


class PrometheusSlowError(PrometheusError):
    """Prometheus did not answer in time."""

    hint = "Show a shorter time, or record the expression by a rule."


class QueryRefusedError(PrometheusError):
    """Prometheus cannot evaluate this expression."""

    hint = "Try the expression in Prometheus' own page."


class AnswerTooLargeError(PrometheusError):
    """The answer is larger than a chart can hold."""

    hint = "Show a shorter time, or one service."


class Series(Struct, frozen=True):
    """One series: its labels, and moments with values."""

    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None
    """The value of an instant query."""


class Exemplar(Struct, frozen=True):
    """One measured event that has a trace."""

    labels: dict[str, str]
    value: str
    timestamp: float


class Exemplars(Struct, frozen=True, rename="camel"):
    """The exemplars of one series."""

    series_labels: dict[str, str]
    exemplars: list[Exemplar] = []


class _Data(Struct, rename={"kind": "resultType"}, frozen=True):
    kind: str
    result: Raw


class _Answer(Struct, frozen=True):
    status: str
    data: Raw = Raw(b"null")
    error: str = ""


class PrometheusQueries:
    """One Prometheus; enter it where it is used, for the pool belongs to an event loop."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client: httpx2.AsyncClient | None = None
        self._turns = asyncio.Semaphore(PARALLEL)

    async def __aenter__(self) -> Self:
        """Open the pool of connections."""
        limits = httpx2.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
        self._turns = asyncio.Semaphore(PARALLEL)
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, limits=limits, trust_env=False)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the pool."""
        if self._client is not None:
            await self._client.aclose()

    async def range(self, expr: str, start: int, end: int, step: int) -> list[Series]:
        """Return what `expr` was from `start` to `end`, in seconds since 1970."""
        form = {"query": expr, "start": str(start), "end": str(end), "step": str(step)}
        return _series(await self._ask("/api/v1/query_range", form))

    async def instant(self, expr: str, at: float) -> list[Series]:
        """Return what `expr` is at one moment."""
        return _series(await self._ask("/api/v1/query", {"query": expr, "time": str(at)}))

    async def exemplars(self, expr: str, start: int, end: int) -> list[Exemplars]:
        """Return the exemplars of the series that `expr` selects; none where it keeps none.

        Where there are too many, those of the newest half of the time come, or of its half.
        """
        for _ in range(HALVINGS):
            form = {"query": expr, "start": str(start), "end": str(end)}
            try:
                data = await self._ask("/api/v1/query_exemplars", form, at_most=EXEMPLARS_AT_MOST)
            except AnswerTooLargeError:
                start = (start + end) // 2
            else:
                return msgspec.json.decode(data, type=list[Exemplars])
        return []

    async def label_values(self, label: str, match: str, start: int, end: int) -> list[str]:
        """Return the values that `label` had on the series that `match` selects."""
        form = {"match[]": match, "start": str(start), "end": str(end)}
        data = await self._ask(f"/api/v1/label/{label}/values", form, method="GET")
        return sorted(msgspec.json.decode(data, type=list[str]))

    async def _ask(
        self,
        path: str,
        form: Mapping[str, str],
        *,
        method: str = "POST",
        at_most: int = ANSWER_AT_MOST,
    ) -> Raw:
        if self._client is None:
            raise PrometheusUnreachableError("the pool of connections is not open")
        given = {"params": form} if method == "GET" else {"data": form}
        try:
            async with asyncio.timeout(WITH_WAITING_S), self._turns, asyncio.timeout(TIMEOUT_S):
                content, status = await self._read(method, path, given, at_most)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise PrometheusSlowError(
                f"Prometheus did not answer within {TIMEOUT_S:g} s"
            ) from error
        except httpx2.HTTPError as error:
            raise PrometheusUnreachableError(f"{self.url} does not answer") from error
        try:
            answer = msgspec.json.decode(content, type=_Answer)
        except msgspec.DecodeError as error:
            raise PrometheusError(f"{self.url} answered {status}, and not with JSON") from error
        if answer.status != "success":
            raise QueryRefusedError(answer.error or f"{self.url} answered {status}")
        return answer.data

    async def _read(
        self, method: str, path: str, given: Mapping[str, Any], at_most: int
    ) -> tuple[bytes, int]:
        assert self._client is not None  # noqa: S101 - seen by the caller
        content = bytearray()
        async with self._client.stream(method, self.url + path, **given) as response:
            async for part in response.aiter_bytes():
                content += part
                if len(content) > at_most:
                    raise AnswerTooLargeError
        return bytes(content), response.status_code


def _series(content: Raw) -> list[Series]:
    data = msgspec.json.decode(content, type=_Data)
    if data.kind in {"scalar", "string"}:
        return [Series({}, value=msgspec.json.decode(data.result, type=tuple[float, str]))]
    return msgspec.json.decode(data.result, type=list[Series])
