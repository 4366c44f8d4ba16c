"""Objectives as the console shows them: one question for the table, one each for the charts.

When Prometheus does not answer, the last answer is shown with its age: how a promise stands
changes slowly, and an old picture is better than none while something is down.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from abops.clients.answers import Answers
from abops.clients.prometheus_queries import PrometheusError, PrometheusQueries, Series
from abops.inventory.model import Objective
from abops.kernel.clock import Clock
from abops.observability.slo.budget import Standing
from abops.observability.slo.standing import QUERY, standings
from abops.workflows.last_good import last_good

FRESH_S: Final = 5.0
POINTS: Final = 360
"""Of one line: more than a chart of this width can show apart."""
_STEP_AT_LEAST: Final = timedelta(seconds=30)


class Picture(Struct, frozen=True):
    """The table of objectives as of a moment; `problem` says why it is not the present one."""

    standings: tuple[Standing, ...]
    at: datetime
    problem: PrometheusError | None = None


class Line(Struct, frozen=True):
    """One series over a span: a value a step, None where there was none."""

    name: str
    values: tuple[float | None, ...]


class History(Struct, frozen=True):
    """The history of one objective."""

    start: datetime
    end: datetime
    step: timedelta
    errors: Line
    burns: tuple[Line, ...]
    left: Line
    problem: PrometheusError | None = None


class Objectives:
    """What Prometheus knows of the objectives; enter its client before."""

    def __init__(self, prometheus: PrometheusQueries, clock: Clock) -> None:
        self._prometheus = prometheus
        self._clock = clock
        self._tables: Answers[Picture] = Answers(clock, fresh_s=FRESH_S)
        self._histories: Answers[History] = Answers(clock, fresh_s=FRESH_S)

    async def table(self, objectives: Sequence[Objective]) -> Picture:
        """Return where every objective stands. Raises PrometheusError without any answer yet."""

        async def ask() -> Picture:
            now = self._clock.now()
            answer = await self._prometheus.instant(QUERY, now.timestamp())
            pairs = [(one.metric, float(one.value[1])) for one in answer if one.value]
            return Picture(standings(objectives, pairs), now)

        return await last_good(self._tables, "table", ask)

    async def history(self, objective: Objective, env: str, span: timedelta) -> History:
        """Return an objective's past. Raises PrometheusError without any answer yet."""

        async def ask() -> History:
            return await self._ask_history(objective, env, span)

        return await last_good(self._histories, (objective.name, env, span), ask)

    async def _ask_history(self, objective: Objective, env: str, span: timedelta) -> History:
        step = max(_STEP_AT_LEAST, timedelta(seconds=round(span.total_seconds() / POINTS)))
        seconds = int(step.total_seconds())
        end = int(self._clock.now().timestamp()) // seconds * seconds
        start = end - int(span.total_seconds())
        where = f'{{slo="{objective.name}",env="{env}"}}'

        async def line(name: str, expr: str) -> Line:
            series = await self._prometheus.range(f"max({expr})", start, end, seconds)
            return Line(name, _values(series, start, end, seconds))

        rate, budget = "slo:sli_error:ratio_rate", f"{objective.budget:g}"
        errors, hour, quarter, left = await asyncio.gather(
            line("bad events", f"{rate}5m{where}"),
            line("over 1 h", f"{rate}1h{where} / {budget}"),
            line("over 6 h", f"{rate}6h{where} / {budget}"),
            line("budget left", f"slo:period_error_budget_remaining:ratio{where}"),
        )
        first = datetime.fromtimestamp(start, tz=self._clock.now().tzinfo)
        return History(first, first + span, step, errors, (hour, quarter), left)


async def ask_once(url: str, objectives: Sequence[Objective], clock: Clock) -> tuple[Standing, ...]:
    """Ask a Prometheus how objectives stand, and leave. Raises PrometheusError."""
    async with PrometheusQueries(url) as prometheus:
        return (await Objectives(prometheus, clock).table(objectives)).standings


def _values(series: Sequence[Series], start: int, end: int, step: int) -> tuple[float | None, ...]:
    """Put the samples at their places; where there was none stands None."""
    values: list[float | None] = [None] * ((end - start) // step + 1)
    for one in series[:1]:
        for moment, text in one.values:
            values[round((moment - start) / step)] = float(text)
    return tuple(values)
