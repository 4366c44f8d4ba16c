"""What is promised: the table of objectives, and each objective's own page."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from abops.clients.prometheus_queries import PrometheusError
from abops.entry.web.observe import slo_chart
from abops.entry.web.observe.prometheus_pages import PrometheusPages
from abops.entry.web.observe.slo_chart import Chart, Limit
from abops.entry.web.pages import Pages, Place
from abops.inventory.model import Objective
from abops.kernel.errors import OpsError
from abops.observability.slo.budget import FAST, SLOW, Standing, time_to_exhaustion
from abops.observability.slo.explain import Explanation, explain, in_words
from abops.workflows.objectives import History, Objectives, Picture

PLACE: Final = Place("slo", "/slo", "SLOs", "slo")
SPANS: Final[Mapping[str, timedelta]] = {
    "6h": timedelta(hours=6),
    "24h": timedelta(days=1),
    "3d": timedelta(days=3),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_USUAL: Final = "24h"


class ObjectiveMissingError(OpsError):
    """There is no objective of this name."""

    hint = "The list of objectives has those that platform.yaml names."


STATUS: Final[dict[type[OpsError], int]] = {ObjectiveMissingError: 404}


class Row(NamedTuple):
    """One line of the table."""

    standing: Standing
    explanation: Explanation
    exhaustion: str
    """When the budget ends at the pace of six hours."""
    bar: int
    """Hundredths of the budget that are left, between 0 and 100."""


class ObjectivePages(PrometheusPages):
    """The table and the pages of the objectives."""

    def __init__(self, pages: Pages, inventory: Path, url: str) -> None:
        super().__init__(pages, inventory, url)
        self._objectives = Objectives(self._client, pages.clock)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(include_in_schema=False, lifespan=self.lifespan)
        router.get("/slo")(self.table_page)
        router.get("/slo/{name}")(self.objective_page)
        return router

    async def table_page(self, request: Request) -> Response:
        """Show every objective, the worst first, and whether deployments may go on."""
        picture, problem = await self._picture()
        standings = picture.standings if picture else ()
        env = request.query_params.get("env", "")
        envs = sorted({one.env for one in standings if one.env})
        shown = [one for one in standings if not env or one.env in {env, ""}]
        return self._pages.show(
            request,
            "slos.html",
            rows=[self._row(one) for one in shown],
            frozen=[one for one in shown if one.is_frozen],
            picture=picture,
            problem=problem,
            envs=envs,
            env=env,
            objectives=[explain(one, self.inventory) for one in self.inventory.slos],
        )

    async def objective_page(self, request: Request, name: str) -> Response:
        """Show one objective: what it means, how it stands, and its past."""
        objective = self._objective(name)
        picture, problem = await self._picture()
        own = [one for one in picture.standings if one.slo == name] if picture else []
        wanted = request.query_params.get("env", "")
        standing = next((one for one in own if one.env == wanted), own[0] if own else None)
        asked = request.query_params.get("span", _USUAL)
        span = asked if asked in SPANS else _USUAL
        charts: list[Chart] = []
        history = None
        if standing and standing.env:
            history, late = await self._history(objective, standing.env, SPANS[span])
            problem = problem or late
            charts = charts_of(objective, history) if history else []
        return self._pages.show(
            request,
            "slo.html",
            about=explain(objective, self.inventory),
            row=self._row(standing) if standing else None,
            envs=[one.env for one in own if one.env],
            charts=charts,
            history=history,
            spans=tuple(SPANS),
            span=span,
            picture=picture,
            problem=problem,
            in_words=in_words,
            chart_size=slo_chart,
        )

    async def _picture(self) -> tuple[Picture | None, PrometheusError | None]:
        try:
            picture = await self._objectives.table(self.inventory.slos)
        except PrometheusError as error:
            return None, error
        return picture, picture.problem

    async def _history(
        self, objective: Objective, env: str, span: timedelta
    ) -> tuple[History | None, PrometheusError | None]:
        try:
            history = await self._objectives.history(objective, env, span)
        except PrometheusError as error:
            return None, error
        return history, history.problem

    def _objective(self, name: str) -> Objective:
        for objective in self.inventory.slos:
            if objective.name == name:
                return objective
        raise ObjectiveMissingError(f"there is no objective {name!r}")

    def _row(self, standing: Standing) -> Row:
        objective = self._objective(standing.slo)
        ends = ""
        if standing.left is not None and standing.burn_6h is not None:
            left = time_to_exhaustion(standing.left, standing.burn_6h, objective)
            is_spent = standing.left <= 0
            ends = "spent" if is_spent else in_words(left, "not at this pace")
            if left is not None and left > objective.window:
                ends = "not at this pace"
        share = standing.left if standing.left is not None else 0.0
        bar = round(100 * min(max(share, 0.0), 1.0))
        return Row(standing, explain(objective, self.inventory), ends, bar)


def charts_of(objective: Objective, history: History) -> list[Chart]:
    """Draw an objective's past: the pace, the share of bad events, what is left."""
    span = (history.start, history.end)
    factors = [(leg.factor(objective.window), "pages") for leg in FAST]
    factors += [(leg.factor(objective.window), "ticket") for leg in SLOW[:1]]
    errors = history.errors.values
    left = history.left.values
    return [
        slo_chart.chart(
            "Burn rate",
            [(line.name, line.values) for line in history.burns],
            span,
            slo_chart.by_size(_known(*(one.values for one in history.burns)), most=factors[0][0]),
            [
                *(Limit(factor, f"{factor:.3g} {what}") for factor, what in factors),
                Limit(1, "1 as allowed"),
            ],
        ),
        slo_chart.chart(
            "Bad events",
            [("over 5 m", errors)],
            span,
            slo_chart.linear(_known(errors), most=objective.budget * 2, text=_percent),
            [Limit(objective.budget, f"{_percent(objective.budget)} allowed")],
        ),
        slo_chart.chart(
            "Budget left",
            [(f"of {objective.window.days} days", left)],
            span,
            slo_chart.linear(_known(left), most=1, text=_percent),
            [Limit(0, "spent")],
        ),
    ]


def _known(*lines: tuple[float | None, ...]) -> list[float]:
    return [value for line in lines for value in line if value is not None]


def _percent(share: float) -> str:
    return f"{share * 100:.4g} %"
