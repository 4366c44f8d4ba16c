"""A board's questions asked, and each panel answered as soon as it is.

Panels are answered in the order in which Prometheus is done, not in the order of the page: a
slow one holds up nobody. A panel that cannot be answered says why; when it could a while ago,
that answer comes instead, with its age.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from abops.clients.answers import Answers
from abops.clients.prometheus_queries import (
    AnswerTooLargeError,
    PrometheusError,
    PrometheusQueries,
    QueryRefusedError,
    Series,
)
from abops.kernel.clock import Clock
from abops.observability.panels.exemplars import buckets_of, dots_of, has_dots
from abops.observability.panels.model import (
    Annotation,
    AnnotationAnswer,
    Board,
    Dot,
    Panel,
    PanelAnswer,
    Target,
)
from abops.observability.panels.values import (
    POINTS_AT_MOST,
    Answered,
    events_of,
    heatmap_of,
    lines_of,
    newest_of,
    table_of,
)
from abops.observability.panels.variables import Chosen, fill_query, window_variables
from abops.observability.panels.window import COLUMNS, Span, Window, window_of

DRAWN: Final = frozenset(
    {"stat", "gauge", "bargauge", "timeseries", "table", "heatmap", "state-timeline"}
)
"""Panels that have answers; text needs none, and of logs there is a page of its own."""
KEPT_PANELS: Final = 300
NEWEST_EVERY_S: Final = 5
"""Instant questions are asked for multiples of this, so that readers share the answers."""
CHOICES_FRESH_S: Final = 60.0
T = TypeVar("T")
CHOICES_WITHIN_S: Final = 2.0
"""A page must not wait for Prometheus: without an answer it offers what is chosen."""


class Question(Struct, frozen=True):
    """What a reader wants to see of a board."""

    board: Board
    span: Span
    chosen: dict[str, tuple[str, ...]]
    panels: frozenset[int] | None = None
    """Ids of the panels; None: all."""
    newest_only: bool = False
    """True: the newest value instead of the way to it."""
    annotations: bool = True


Answer = PanelAnswer | AnnotationAnswer


class BoardAnswers:
    """Asks one Prometheus; belongs to one event loop."""

    def __init__(self, prometheus: PrometheusQueries, clock: Clock) -> None:
        self._prometheus = prometheus
        self._clock = clock
        self._series: Answers[list[Series]] = Answers(clock, keeps_old=False)
        self._traced: Answers[list[Dot]] = Answers(clock, keeps_old=False)
        self._choices: Answers[list[str]] = Answers(clock, fresh_s=CHOICES_FRESH_S)
        self._last: Answers[bytes] = Answers(clock, at_most=KEPT_PANELS)

    async def answer(self, question: Question) -> AsyncIterator[Answer]:
        """Yield the answers as they come."""
        wanted = [
            panel
            for panel in question.board.panels
            if panel.type in DRAWN and (question.panels is None or panel.id in question.panels)
        ]
        asked: list[Coroutine[Any, Any, Answer | None]] = [
            self._panel(question, panel) for panel in wanted
        ]
        if question.annotations:
            asked += [self._annotation(question, a) for a in question.board.annotations]
        tasks = [asyncio.ensure_future(coroutine) for coroutine in asked]
        try:
            for done in asyncio.as_completed(tasks):
                answer = await done
                if answer is not None:
                    yield answer
        finally:
            for task in tasks:
                task.cancel()

    async def choices(self, board: Board, span: Span, chosen: Chosen) -> dict[str, list[str]]:
        """Return the values that a reader may choose from; none when Prometheus is silent."""
        window = window_of(span, COLUMNS)
        fixed = window_variables(window)

        async def values(metric: str, label: str) -> list[str]:
            match = fill_query(metric, board.variables, chosen, fixed)
            key = (label, match, span.seconds)
            try:
                async with asyncio.timeout(CHOICES_WITHIN_S):
                    return await self._choices.get(
                        key,
                        lambda: self._prometheus.label_values(
                            label, match, window.start, window.end
                        ),
                    )
            except (PrometheusError, TimeoutError):
                kept = self._choices.last(key)
                return kept[0] if kept else []

        asked = [v for v in board.variables if v.metric and v.label]
        found = await asyncio.gather(*(values(v.metric, v.label) for v in asked))
        return {v.name: list(v.choices) for v in board.variables} | {
            v.name: value for v, value in zip(asked, found, strict=True)
        }

    async def _panel(self, question: Question, panel: Panel) -> PanelAnswer:
        begun = self._clock.monotonic()
        key = _key(question, panel)
        try:
            answer = await self._fresh(question, panel)
        except PrometheusError as error:
            failed = PanelAnswer(
                panel.id,
                "error",
                self._ms(begun),
                error=_words(error),
                is_silent=not isinstance(error, (QueryRefusedError, AnswerTooLargeError)),
            )
            return self._bridged(failed, key)
        answer = replace(answer, ms=self._ms(begun))
        self._last.keep(key, _packed(answer))
        return answer

    def _bridged(self, failed: PanelAnswer, key: tuple[object, ...]) -> PanelAnswer:
        """Return the last good answer in place of a failed one, when Prometheus is silent."""
        kept = self._last.last(key)
        if kept is None or not failed.is_silent:
            return failed
        return replace(
            _unpacked(kept[0]),
            status="stale",
            age_s=round(kept[1]),
            error=failed.error,
            is_silent=True,
            ms=failed.ms,
        )

    def _ms(self, begun: float) -> int:
        return round((self._clock.monotonic() - begun) * 1000)

    async def _fresh(self, question: Question, panel: Panel) -> PanelAnswer:
        window = _window(question.span, panel.width, panel.scrape_s)
        newest = question.newest_only
        targets = [
            replace(t, kind="instant") if newest and t.kind == "range" else t for t in panel.targets
        ]
        dots = asyncio.ensure_future(self._dots(question, panel))
        try:
            results = await _all(self._ask(question, target, window) for target in targets)
            answer = _answer_of(panel, list(zip(targets, results, strict=True)), window)
            return replace(answer, dots=await dots)
        finally:
            dots.cancel()

    async def _dots(self, question: Question, panel: Panel) -> list[Dot]:
        """Return the events with a trace; none when Prometheus has none, or does not say."""
        if not has_dots(panel):
            return []
        window = _window(question.span, panel.width, panel.scrape_s)
        fixed = window_variables(window)
        filled = [
            fill_query(target.expr, question.board.variables, question.chosen, fixed)
            for target in panel.targets
        ]
        asked = tuple(dict.fromkeys(text for expr in filled for text in buckets_of(expr)))
        try:
            return await self._traced.get(
                (asked, window.start, window.end), lambda: self._slowest(asked, window)
            )
        except PrometheusError:
            return []  # a chart without marks is still a chart

    async def _slowest(self, asked: Iterable[str], window: Window) -> list[Dot]:
        """Ask for exemplars and keep the few that are marked, not the thousands that are not."""
        start, end = window.start, window.end + window.step
        found = await _all(self._prometheus.exemplars(text, start, end) for text in asked)
        every = [series for all_ in found for series in all_]
        return await asyncio.to_thread(dots_of, every, window)

    async def _ask(self, question: Question, target: Target, window: Window) -> list[Series]:
        expr = fill_query(
            target.expr, question.board.variables, question.chosen, window_variables(window)
        )
        if target.kind in {"instant", "table"}:
            at = int(question.span.end.timestamp()) // NEWEST_EVERY_S * NEWEST_EVERY_S
            return await self._series.get((expr, at), lambda: self._prometheus.instant(expr, at))
        return await self._series.get(
            (expr, window.start, window.end, window.step),
            lambda: self._prometheus.range(expr, window.start, window.end, window.step),
        )

    async def _annotation(
        self, question: Question, annotation: Annotation
    ) -> AnnotationAnswer | None:
        window = _window(question.span, COLUMNS)
        target = Target("", annotation.expr)
        try:
            found = await self._ask(question, target, window)
        except PrometheusError:
            return None  # the panels say that Prometheus is silent
        events = events_of(annotation, found, window.step)
        return AnnotationAnswer(annotation.name, annotation.color, events)


def _packed(answer: PanelAnswer) -> bytes:
    """Return an answer in a tenth of its space: it is kept for hours and seldom read."""
    return zlib.compress(msgspec.json.encode(answer), 1)


def _unpacked(content: bytes) -> PanelAnswer:
    return msgspec.json.decode(zlib.decompress(content), type=PanelAnswer)


def _window(span: Span, width: int, scrape_s: int = 0) -> Window:
    window = window_of(span, width, scrape_s=scrape_s)
    return window if window.count <= POINTS_AT_MOST else window_of(span, 1, scrape_s=scrape_s)


def _answer_of(panel: Panel, answered: Answered, window: Window) -> PanelAnswer:
    """Return what the panel is drawn from."""
    if panel.type == "table":
        table = table_of(panel, answered)
        return PanelAnswer(panel.id, "ok" if table.rows else "empty", table=table)
    if answered and all(target.kind == "instant" for target, _ in answered):
        lines, note, count = newest_of(panel, answered), "", 1
    elif panel.type == "heatmap":
        lines = heatmap_of([s for _, found in answered for s in found], window)
        note, count = "", window.count
    else:
        (lines, note), count = lines_of(panel, answered, window), window.count
    return PanelAnswer(
        panel.id,
        "ok" if lines else "empty",
        start=window.start,
        step=window.step,
        count=count,
        series=lines,
        note=note,
    )


async def _all(asked: Iterable[Coroutine[Any, Any, list[T]]]) -> Sequence[list[T]]:
    """Ask together; when one fails the others are not waited for."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in asked]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _key(question: Question, panel: Panel) -> tuple[object, ...]:
    chosen = tuple(sorted(question.chosen.items()))
    return (
        question.board.uid,
        panel.id,
        chosen,
        round(question.span.seconds),
        question.newest_only,
    )


def _words(error: PrometheusError) -> str:
    return f"{error}. {error.hint}"
