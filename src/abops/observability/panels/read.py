"""Grafana's classic JSON (schemaVersion 42) -> the board it describes.

Only what the console draws is read; whatever else Grafana keeps in a file is passed over. A
field that is missing has Grafana's default, so that a board saved by another version is shown
as far as it can be.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from abops.kernel.errors import OpsError
from abops.observability.panels.document import (
    RawBoard,
    RawMapping,
    RawOverride,
    RawPanel,
    RawQuery,
    RawTransformation,
    RawVariable,
    RawWords,
)
from abops.observability.panels.model import (
    Annotation,
    Board,
    ColumnFormat,
    Kind,
    Panel,
    Row,
    Target,
    Variable,
)

_LABEL_VALUES: Final = re.compile(r"\s*label_values\(\s*(?:(.*),)?\s*(\w+)\s*\)\s*", re.DOTALL)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_ALL: Final = "$__all"
_NEWEST_ONLY: Final = frozenset({"gauge", "bargauge"})
"""Panels that show the newest value: asking for the past would be work for nothing."""


class BoardError(OpsError):
    """This file is not a dashboard of Grafana."""

    hint = "Render the boards again: `abops render`."


def read_board(content: bytes) -> Board:
    """Return the board in a file of Grafana's; raises BoardError."""
    try:
        found = msgspec.json.decode(content, type=RawBoard)
    except msgspec.DecodeError as error:
        raise BoardError(f"this is not a dashboard: {error}") from error
    return Board(
        uid=found.uid,
        title=found.title,
        description=found.description or "",
        tags=tuple(found.tags),
        since=found.time.since,
        refresh_s=_seconds(found.refresh),
        rows=tuple(_rows(found.panels)),
        variables=tuple(_variables(found.templating.variables)),
        annotations=tuple(
            Annotation(mark.name, mark.expr, mark.icon_color, mark.text_format or mark.name)
            for mark in found.annotations.marks
            if mark.enable and mark.expr
        ),
    )


def _seconds(written: object) -> int:
    """Return the seconds that `30s` or `>30s` names; 0 for what names none."""
    found = re.fullmatch(r">?\s*(\d+)([smhd])", written) if isinstance(written, str) else None
    return int(found[1]) * _SECONDS[found[2]] if found else 0


def _rows(panels: list[RawPanel]) -> Iterator[Row]:
    """Put panels under the row before them; those of a collapsed row are inside it."""
    title, collapsed, members = "", False, list[RawPanel]()
    for panel in sorted(panels, key=_place):
        if panel.type != "row":
            members.append(panel)
            continue
        if title or members:
            yield _row(title, members, collapsed=collapsed)
        title, collapsed, members = panel.title, panel.collapsed, list(panel.panels)
    if title or members:
        yield _row(title, members, collapsed=collapsed)


def _row(title: str, members: list[RawPanel], *, collapsed: bool) -> Row:
    return Row(title, collapsed, tuple(_panel(panel) for panel in sorted(members, key=_place)))


def _place(panel: RawPanel) -> tuple[int, int]:
    return panel.grid_pos.y, panel.grid_pos.x


def _panel(found: RawPanel) -> Panel:
    config, custom = found.field_config.defaults, found.field_config.defaults.custom
    renamed, hidden = _organized(found.transformations)
    return Panel(
        id=found.id,
        type=found.type,
        title=found.title,
        description=found.description or "",
        left=found.grid_pos.x,
        width=found.grid_pos.w,
        height=found.grid_pos.h,
        unit=config.unit,
        decimals=config.decimals,
        minimum=config.min,
        maximum=config.max,
        no_value=config.no_value or "",
        thresholds=tuple(config.thresholds.steps),
        limit_lines=_inner(custom, "thresholdsStyle", "mode") in {"line", "dashed", "line+area"},
        stacked=_inner(custom, "stacking", "mode") in {"normal", "percent"},
        fill=int(custom.get("fillOpacity") or 0),
        words=_words(config.mappings),
        links=(*(found.links or []), *config.links),
        targets=tuple(
            _target(found, query) for query in found.targets or [] if query.expr and not query.hide
        ),
        text=str(found.options.get("content") or "") if found.type == "text" else "",
        renamed=renamed,
        hidden=hidden,
        columns=dict(_column_formats(found.field_config.overrides)),
    )


def _target(panel: RawPanel, query: RawQuery) -> Target:
    return Target(
        query.ref_id,
        query.expr,
        query.legend_format or "",
        _kind(panel.type, query),
        _seconds(query.interval) or _seconds(panel.interval),
    )


def _inner(custom: dict[str, Any], outer: str, inner: str) -> str:
    value = custom.get(outer)
    return str(value.get(inner)) if isinstance(value, dict) else ""


def _kind(panel_type: str, query: RawQuery) -> Kind:
    if panel_type == "table" or query.format == "table":
        return "table"
    if panel_type == "heatmap":
        return "heatmap"
    if panel_type in _NEWEST_ONLY or (query.instant and not query.range):
        return "instant"
    return "range"


def _words(mappings: list[RawMapping]) -> dict[str, str]:
    words: dict[str, str] = {}
    for mapping in mappings:
        if mapping.type == "value" and isinstance(mapping.options, dict):
            results = msgspec.convert(mapping.options, dict[str, RawWords])
            words |= {value: word.text for value, word in results.items() if word.text}
    return words


def _organized(steps: list[RawTransformation]) -> tuple[dict[str, str], frozenset[str]]:
    """Return new names of columns, and the columns that are not shown."""
    renamed: dict[str, str] = {}
    hidden: set[str] = set()
    for step in steps:
        if step.id == "organize":
            renamed |= step.options.get("renameByName") or {}
            hidden |= {
                n for n, is_out in (step.options.get("excludeByName") or {}).items() if is_out
            }
    return renamed, frozenset(hidden)


def _column_formats(overrides: list[RawOverride]) -> Iterator[tuple[str, ColumnFormat]]:
    for override in overrides:
        if override.matcher.id != "byName":
            continue
        values = {found.id: found.value for found in override.properties}
        yield (
            str(override.matcher.options),
            ColumnFormat(unit=values.get("unit") or "", decimals=values.get("decimals")),
        )


def _variables(found: tuple[RawVariable, ...]) -> Iterator[Variable]:
    for variable in found:
        if variable.type not in {"query", "custom", "constant"}:
            continue
        text = (
            variable.query.get("query", "") if isinstance(variable.query, dict) else variable.query
        )
        values = _LABEL_VALUES.fullmatch(str(text or ""))
        is_list = variable.type != "query"
        current = variable.current.get("value")
        chosen = [current] if isinstance(current, str) else list(current or [])
        yield Variable(
            name=variable.name,
            title=variable.label or variable.name,
            metric=(values[1] or "").strip() if values else "",
            label=values[2] if values else "",
            choices=tuple(p.strip() for p in str(text or "").split(",")) if is_list else (),
            chosen=tuple(value for value in chosen if value and value != _ALL),
            all_value=(variable.all_value or ".*") if variable.include_all else None,
        )
