"""A board as Grafana's classic JSON (schemaVersion 42), which Grafana 10 to 13 read.

Written with Grafana's foundation SDK, so that field names and nesting are Grafana's own. What the
SDK leaves out and Grafana needs (ids, refIds, a visible legend, places in the grid) is set here.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    gauge,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as prometheus_model

from abops.observability.boards.model import FULL, Board, Panel, Query, Row

SOURCE: Final = common_model.DataSourceRef(type_val="prometheus", uid="${datasource}")
NODE_INTERVAL: Final = "30s"
"""Time between two scrapes of the node exporter; other jobs are scraped more often."""
_TAG: Final = "analyticbot"
_MARKS: Final = (
    (
        "Deploys",
        "blue",
        (
            "max by (service, version) (changes(abops_deploys_last_timestamp_seconds"
            '{env=~"$env"}[$__interval])) > 0'
        ),
        "deploy {{service}} {{version}}",
    ),
    (
        "Critical alerts",
        "red",
        (
            'count by (alertname, service) (ALERTS{alertstate="firing",'
            'severity="critical",env=~"$env"})'
        ),
        "{{alertname}} {{service}}",
    ),
)
"""Annotations on every chart: name, colour, expression, text."""


def grafana_json(board: Board) -> str:
    """Return the board's JSON. Its keys are sorted: one changed panel is one changed place."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([_TAG, *board.tags])
        .timezone("browser")
        .time(f"now-{board.span}", "now")
        .refresh("1m")
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables(_variables())
        .annotations(_annotations())
        .link(
            dashboard.DashboardLink("Boards")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    content = json.loads(json.dumps(builder.build(), cls=JSONEncoder))
    content["panels"] = list(_panels(board.rows))
    content["schemaVersion"] = 42
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _variables() -> list[Any]:
    refresh, order = (
        model.VariableRefresh.ON_TIME_RANGE_CHANGED,
        model.VariableSort.ALPHABETICAL_ASC,
    )
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    env = (
        dashboard.QueryVariable("env")
        .label("Environment")
        .query({"query": "label_values(up, env)", "refId": "env"})
        .datasource(SOURCE)
        .refresh(refresh)
        .sort(order)
        .include_all(True)
        .all_value(".*")
    )
    service = (
        dashboard.QueryVariable("service")
        .label("Service")
        .query({"query": 'label_values(up{env=~"$env"}, service)', "refId": "service"})
        .datasource(SOURCE)
        .refresh(refresh)
        .sort(order)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )
    return [source, env, service]


def _annotations() -> list[Any]:
    return [
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(color)
        .expr(expr)
        .step("60s")
        .title_format(name)
        .text_format(words)
        for name, color, expr, words in _MARKS
    ]


def _panels(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Place the rows below each other; panels of a collapsed row are inside it."""
    number, y = 1, 0
    for row in rows:
        head = {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": {"h": 1, "w": FULL, "x": 0, "y": y},
            "panels": [],
        }
        number, y = number + 1, y + 1
        placed, y, number = _place(row.panels, y, number)
        if row.collapsed:
            head["panels"] = placed
            yield head
        else:
            yield head
            yield from placed


def _place(panels: Iterable[Panel], y: int, number: int) -> tuple[list[dict[str, Any]], int, int]:
    placed = []
    x = tallest = 0
    for panel in panels:
        if x + panel.width > FULL:
            x, y, tallest = 0, y + tallest, 0
        content = panel_json(panel)
        content["id"] = number
        content["gridPos"] = {"h": panel.height, "w": panel.width, "x": x, "y": y}
        placed.append(content)
        number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
    return placed, y + tallest, number


def panel_json(panel: Panel) -> dict[str, Any]:
    """Return one panel without its id and place."""
    builder = _BUILDERS[panel.kind](panel)
    builder = builder.title(panel.title).description(panel.description)
    if panel.kind == "text":
        return dict(json.loads(json.dumps(builder.build(), cls=JSONEncoder)))
    builder = (
        builder.datasource(SOURCE)
        .unit(panel.unit)
        .no_value(panel.no_value)
        .thresholds(_thresholds(panel))
        .mappings(_mappings(panel))
    )
    if panel.maximum is not None:
        builder = builder.min(0).max(panel.maximum)
    if panel.decimals is not None:
        builder = builder.decimals(panel.decimals)
    if panel.signals:
        builder = builder.links(_signal_links())
    for index, query in enumerate(panel.queries):
        builder = builder.with_target(_target(query, panel, chr(ord("A") + index)))
    return dict(json.loads(json.dumps(builder.build(), cls=JSONEncoder)))


def _target(query: Query, panel: Panel, ref: str) -> Any:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(SOURCE)
    if "node_" in query.expr:
        # Grafana makes `$__rate_interval` four of these: four scrapes of the slowest job.
        target = target.interval(NODE_INTERVAL)
    if query.legend:
        target = target.legend_format(query.legend)
    if panel.kind == "table":
        return target.instant().format(prometheus_model.PromQueryFormat.TABLE)
    if panel.kind in {"gauge", "bargauge"}:
        return target.instant()  # they show the newest value: the way to it costs, and is not seen
    if panel.kind == "heatmap":
        return target.range().format(prometheus_model.PromQueryFormat.HEATMAP)
    return target.range().exemplar(query.exemplars)


def _thresholds(panel: Panel) -> Any:
    base = "red" if panel.reversed_limits else "green"
    steps = [model.Threshold(value=None, color=base)]  # None: from the smallest value on
    steps += [model.Threshold(value=limit.value, color=limit.color) for limit in panel.limits]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _mappings(panel: Panel) -> list[Any]:
    if not panel.values:
        return []
    words = {
        value: model.ValueMappingResult(text=word, index=index)
        for index, (value, word) in enumerate(panel.values.items())
    }
    return [model.ValueMap(options=words)]


def _signal_links() -> list[Any]:
    """Return links to the console: the traces and logs behind a chart."""
    return [
        dashboard.DashboardLink(title).url(url).target_blank(True)
        for title, url in (
            ("Traces", "/traces?service=${service}&from=${__from}&to=${__to}"),
            ("Logs", "/logs?service=${service}&from=${__from}&to=${__to}"),
        )
    ]


def _reduced() -> Any:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _stat(_panel: Panel) -> Any:
    return (
        stat.Panel()
        .reduce_options(_reduced())
        .graph_mode(common_model.BigValueGraphMode.AREA)
        .color_mode(common_model.BigValueColorMode.VALUE)
    )


def _gauge(_panel: Panel) -> Any:
    return gauge.Panel().reduce_options(_reduced())


def _bargauge(_panel: Panel) -> Any:
    return (
        bargauge.Panel()
        .reduce_options(_reduced())
        .orientation(common_model.VizOrientation.HORIZONTAL)
    )


def _timeseries(panel: Panel) -> Any:
    legend = (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(common_model.LegendDisplayMode.LIST)
        .placement(common_model.LegendPlacement.BOTTOM)
        .calcs([])
    )
    style = (
        common_model.GraphThresholdsStyleMode.LINE
        if panel.limits
        else common_model.GraphThresholdsStyleMode.OFF
    )
    builder = (
        timeseries.Panel()
        .legend(legend)
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_model.TooltipDisplayMode.MULTI)
            .sort(common_model.SortOrder.DESCENDING)
        )
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
        .span_nulls(False)
        .fill_opacity(60 if panel.stacked else 8)
        .axis_soft_min(0)
    )
    if panel.stacked:
        builder = builder.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
    return builder


def _table(panel: Panel) -> Any:
    names = {f"Value #{chr(ord('A') + i)}": name for i, name in enumerate(panel.columns)}
    hidden = {"Time": True} | {f"Time {i}": True for i in range(1, len(panel.queries) + 1)}
    builder = (
        table.Panel()
        .with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            model.DataTransformerConfig(
                id_val="organize", options={"excludeByName": hidden, "renameByName": names}
            )
        )
    )
    for name, unit in zip(panel.columns, panel.column_units, strict=False):
        builder = builder.override_by_name(
            name, [model.DynamicConfigValue(id_val="unit", value=unit)]
        )
    return builder


def _heatmap(_panel: Panel) -> Any:
    return heatmap.Panel().calculate(False).show_value(common_model.VisibilityMode.NEVER)


def _state_timeline(_panel: Panel) -> Any:
    return statetimeline.Panel().merge_values(True).show_value(common_model.VisibilityMode.AUTO)


def _text(panel: Panel) -> Any:
    return text.Panel().content(panel.text)


_BUILDERS: Final = {
    "stat": _stat,
    "gauge": _gauge,
    "bargauge": _bargauge,
    "timeseries": _timeseries,
    "table": _table,
    "heatmap": _heatmap,
    "state-timeline": _state_timeline,
    "text": _text,
}
