"""A day of objectives as their recorded series would tell it: every state a page can show.

Written for the objectives of platform.yaml; figures are made up.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from abops.inventory.load import load_inventory
from abops.inventory.model import Objective
from support.history import Past, past, start_prometheus, write_past
from support.servers import Server

ROOT = Path(__file__).parents[2]
OBJECTIVES = load_inventory(ROOT / "platform.yaml").slos
DAY_S, AHEAD_S = 86_400.0, 1_200.0
TROUBLE_S, TROUBLE_AGO_S = 900.0, 5 * 3600.0
NOT_YET = "backup-success"
EXHAUSTED, PAGING, SLOW = "api-latency", "bot-handling", "task-success"
LEFT = {EXHAUSTED: -0.18, PAGING: 0.41, SLOW: 0.22, "api-availability": 0.73}
BURNS = {EXHAUSTED: (0.9, 1.4), PAGING: (23.0, 5.2), SLOW: (3.6, 3.4)}
ALERT = {PAGING: "SLOErrorBudgetBurnFast", SLOW: "SLOErrorBudgetBurnSlow"}


def objective_day(now: float, env: str = "local") -> list[Past]:
    """Return the series of every objective but one, which has none yet."""
    return [one for slo in OBJECTIVES if slo.name != NOT_YET for one in _series(slo, now, env)]


def _series(slo: Objective, now: float, env: str) -> Iterator[Past]:
    labels = {"slo": slo.name, "service": slo.service, "env": env}
    usual = 0.2 + 0.05 * (sum(map(ord, slo.name)) % 7)
    hour, quarter = BURNS.get(slo.name, (usual, usual))
    left = LEFT.get(slo.name, 0.96)

    def burn(last: float, lag: float):  # type: ignore[no-untyped-def] # noqa: ANN202 - a Value
        def value(moment: float) -> float:
            ago = now - moment
            wave = 1 + 0.2 * math.sin(moment / 1900) + 0.08 * math.sin(moment / 311)
            trouble = TROUBLE_AGO_S - TROUBLE_S - lag < ago < TROUBLE_AGO_S
            begun = max(0.0, 1 - max(ago, 0.0) / (2 * lag))
            base = usual * wave * (1 - begun) + last * begun  # exact now, whatever the hour
            return base + (9 if trouble and slo.service == "api" else 0)

        return value

    def remaining(moment: float) -> float:
        return left + max(now - moment, 0.0) / DAY_S * 0.09

    ratio = "slo:sli_error:ratio_rate"
    fast = burn(hour, 1800)
    slow = burn(quarter, 10_800)
    yield past(f"{ratio}5m", lambda at: max(0.0, fast(at) * slo.budget), **labels)
    yield past(f"{ratio}1h", lambda at: fast(at) * slo.budget, **labels)
    yield past(f"{ratio}6h", lambda at: slow(at) * slo.budget, **labels)
    yield past("slo:period_error_budget_remaining:ratio", remaining, **labels)
    period = "slo:sli_error:ratio_period"
    yield past(period, lambda at: (1 - remaining(at)) * slo.budget, **labels)
    yield past("slo:bad_events:period", 1234 if left < 0 else 321, **labels)
    yield past("slo:deploy_freeze:bool", float(left <= 0), **labels)
    yield past("slo:total:rate5m", 12.5, **labels)
    yield past("slo:error_budget:ratio", slo.budget, **labels)
    yield past("slo:objective:ratio", slo.objective / 100, **labels)
    if slo.name in ALERT:
        firing = labels | {"alertname": ALERT[slo.name], "alertstate": "firing"}
        yield past("ALERTS", lambda at: 1.0 if now - at < DAY_S / 48 else None, **firing)


@contextmanager
def objectives_in_prometheus(folder: Path, now: float) -> Iterator[Server]:
    """Run a Prometheus that knows the day before `now` and some minutes after it."""
    data = folder / "objectives"
    start, end = now - 1.1 * DAY_S, now + AHEAD_S
    write_past(data, objective_day(now), start=start, end=end, step=60)
    with start_prometheus(data) as prometheus:
        yield prometheus
