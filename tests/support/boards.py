"""A small board with a panel of every type, and a past that fills it."""

import json
from pathlib import Path
from typing import Any

from support.history import Past, past

UID = "ab-small"
GAP_S = (1800.0, 2700.0)
"""Where the API's requests have no samples: seconds before the end."""


def a_panel(
    number: int,
    kind: str,
    title: str,
    expr: str = "",
    **more: Any,  # noqa: ANN401 - any field
) -> dict[str, Any]:
    """Return a panel as Grafana writes it."""
    defaults: dict[str, Any] = {"unit": "short", "noValue": "no data: nothing was measured"}
    defaults |= more.pop("defaults", {})
    target = {"refId": "A", "expr": expr, "range": True} | more.pop("target", {})
    return {
        "id": number,
        "type": kind,
        "title": title,
        "description": f"What {title.lower()} is for.",
        "gridPos": {"h": 8, "w": 8, "x": 0, "y": number},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [target] if expr else [],
    } | more


def a_row(number: int, title: str, *panels: dict[str, Any]) -> dict[str, Any]:
    """Return a row; with panels in it, it is a collapsed one."""
    place = {"h": 1, "w": 24, "x": 0, "y": number}
    return {
        "id": number,
        "type": "row",
        "title": title,
        "collapsed": bool(panels),
        "gridPos": place,
        "panels": list(panels),
    }


def limits(*steps: tuple[float, str], base: str = "green") -> dict[str, Any]:
    """Return thresholds as Grafana writes them."""
    all_steps = [{"value": None, "color": base}, *({"value": v, "color": c} for v, c in steps)]
    return {"mode": "absolute", "steps": all_steps}


def a_board(*panels: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return a board as Grafana writes it."""
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        a_variable("env", "label_values(up, env)"),
        a_variable("service", 'label_values(up{env=~"$env"}, service)'),
    ]
    return {
        "uid": UID,
        "title": "Small",
        "description": "A panel of every kind.",
        "tags": ["analyticbot", "service"],
        "schemaVersion": 42,
        "refresh": "1m",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": variables},
        "panels": list(panels) or every_panel(),
        "annotations": {
            "list": [
                {
                    "name": "Critical alerts",
                    "enable": True,
                    "iconColor": "red",
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing",env=~"$env"})',
                    "textFormat": "{{alertname}}",
                }
            ]
        },
    } | more


def a_variable(name: str, query: str) -> dict[str, Any]:
    """Return a variable whose values come from Prometheus."""
    return {
        "name": name,
        "type": "query",
        "query": {"query": query, "refId": name},
        "includeAll": True,
        "allValue": ".*",
    }


def every_panel() -> list[dict[str, Any]]:
    """Return a panel of every type, under three rows; the last one is collapsed."""
    where = '{env=~"$env",service=~"$service"}'
    line = {"custom": {"thresholdsStyle": {"mode": "line"}}}
    ratio = {"unit": "percentunit"} | line
    words = [{"type": "value", "options": {"1": {"text": "up"}, "0": {"text": "down"}}}]
    table = {"instant": True, "range": False, "format": "table"}
    return [
        a_row(1, "Now"),
        a_panel(2, "stat", "Requests now", f"sum(requests{where})", defaults={"unit": "reqps"}),
        a_panel(
            3,
            "gauge",
            "Budget",
            f"min(budget{where})",
            defaults=ratio | {"max": 1, "min": 0, "thresholds": limits((0.5, "yellow"))},
        ),
        a_panel(4, "stat", "Nothing", "absent_metric"),
        a_row(5, "Over time"),
        a_panel(
            6,
            "timeseries",
            "Errors",
            f"errors{where}",
            defaults=ratio | {"thresholds": limits((0.05, "red"))},
            target={"legendFormat": "{{service}}"},
        ),
        a_panel(
            7,
            "timeseries",
            "Requests",
            f"requests{where}",
            defaults={"unit": "reqps", "custom": {"stacking": {"mode": "normal"}}},
            target={"legendFormat": "{{service}}"},
        ),
        a_panel(8, "timeseries", "Broken", "sum(("),
        a_panel(
            9,
            "table",
            "Services",
            "max by (service) (requests)",
            target=table,
            gridPos={"h": 8, "w": 24, "x": 0, "y": 9},
        ),
        a_row(
            10,
            "In detail",
            a_panel(
                11, "heatmap", "Latency", "sum by (le) (latency_bucket)", defaults={"unit": "s"}
            ),
            a_panel(
                12,
                "state-timeline",
                "Who answers",
                "min by (service) (up)",
                defaults={"mappings": words},
                target={"legendFormat": "{{service}}"},
            ),
            a_panel(
                13, "bargauge", "Uptime", "avg by (service) (avg_over_time(up[1h]))", defaults=ratio
            ),
            a_panel(14, "text", "Where to look", options={"content": "- [Logs](/logs)\n"}),
            a_panel(15, "piechart", "A pie"),
        ),
    ]


def a_past(end: float) -> list[Past]:
    """Return series for the board: a quiet hour, a gap, and an outage of the worker."""

    def requests(moment: float) -> float | None:
        ago = end - moment
        return None if GAP_S[0] <= ago < GAP_S[1] else 40 + moment % 600 / 60

    def is_up(moment: float) -> float:
        return float(not 600 <= end - moment < 1200)

    def alert(moment: float) -> float | None:
        return 1.0 if 600 <= end - moment < 1200 else None

    series = [
        past("requests", requests, env="local", service="api"),
        past("requests", 12, env="local", service="bot"),
        past("requests", 3, env="staging", service="api"),
        past("errors", lambda t: 0.02 + t % 300 / 10_000, env="local", service="api"),
        past("errors", 0.004, env="local", service="bot"),
        past("budget", 0.42, env="local", service="api"),
        past("up", 1, env="local", service="api"),
        past("up", 1, env="staging", service="api"),
        past("up", is_up, env="local", service="worker"),
        past("ALERTS", alert, alertname="WorkerDown", alertstate="firing", env="local"),
    ]
    for bound, count in (("0.1", 5), ("0.5", 11), ("1", 12), ("+Inf", 12)):
        series.append(past("latency_bucket", count, le=bound, env="local"))
    return series


def write_board(folder: Path, board: dict[str, Any] | None = None) -> Path:
    """Write a board's file; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = board or a_board()
    (folder / f"{content['uid']}.json").write_text(json.dumps(content))
    return folder
