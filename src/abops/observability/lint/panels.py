"""Boards: panels that explain themselves, and their expressions.

A panel without a description is a riddle at three in the morning; without a unit, 0.3 may be a
share or seconds; without `noValue`, an empty panel may mean health or blindness. Grafana accepts
all of that, and panels without `id` or queries without `refId`, which it then mixes up.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from abops.kernel.quantities import parse_duration
from abops.observability.lint.model import Finding, Subject
from abops.observability.lint.ranges import SCRAPES
from abops.observability.promql import duration

_VARIABLES: Final = {
    "$__rate_interval": "1m",
    "$__interval": "1m",
    "$__range": "1d",
    "$__range_s": "86400",
    "$__interval_ms": "60000",
}
_BRACED: Final = re.compile(r"\$\{(\w+)(?::\w+)?\}")
_SPOKEN: Final = frozenset({"text", "row"})
"""Panels that measure nothing."""
_READ_BY_HAND: Final = frozenset({"text", "row", "logs"})


def panels(board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the panels of a board, those in collapsed rows too, without the rows."""
    for panel in board.get("panels", ()):
        if panel.get("type") == "row":
            yield from panels(panel)
        else:
            yield panel


def panel_findings(file: str, board: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what is missing on the panels of a board."""
    names = {v.get("name") for v in board.get("templating", {}).get("list", ())}
    found: list[Finding] = []
    if "datasource" not in names:
        found.append(_finding(file, board.get("title", ""), "datasource", "a variable", "board"))
    seen: set[int] = set()
    for panel in panels(board):
        title = panel.get("title") or f"panel {panel.get('id')}"
        found += [_finding(file, title, what, why, "panel") for what, why in _missing(panel)]
        if panel.get("id") in seen:
            found.append(_finding(file, title, "id", "an id of its own", "panel"))
        seen.add(panel.get("id", 0))
    return tuple(found)


def _missing(panel: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    if not panel.get("id"):
        yield "id", "an id"
    if not str(panel.get("description", "")).strip() and panel.get("type") not in _SPOKEN:
        yield "description", "a description"
    if panel.get("type") in _READ_BY_HAND:
        return
    if not defaults.get("unit"):
        yield "unit", "a unit"
    if not defaults.get("noValue"):
        yield "no-value", "a noValue"
    refs = [target.get("refId") for target in panel.get("targets", ())]
    if not refs or not all(refs) or len(set(refs)) != len(refs):
        yield "ref-id", "a refId of its own for each query"
    sources = [panel.get("datasource"), *(t.get("datasource") for t in panel.get("targets", ()))]
    if not all(_is_variable(source) for source in sources):
        yield "datasource", "the datasource ${datasource}"


def _is_variable(source: object) -> bool:
    uid = source.get("uid") if isinstance(source, Mapping) else source
    return isinstance(uid, str) and uid in ("${datasource}", "$datasource")


def _finding(file: str, name: str, what: str, why: str, of: str) -> Finding:
    return Finding(file, name, f"{of}-{what}", f"the {of} has not {why}", "Give it one.")


def panel_subjects(file: str, board: Mapping[str, Any]) -> tuple[Subject, ...]:
    """Return the expressions of a board: of its panels, annotations and variables."""
    found = [
        Subject(
            file,
            f"panel {panel.get('title')!r}",
            "panel",
            plain(target["expr"], target.get("interval") or panel.get("interval")),
        )
        for panel in panels(board)
        for target in panel.get("targets", ())
        if target.get("expr")
    ]
    found += [
        Subject(file, f"annotation {one.get('name')!r}", "panel", plain(one["expr"]))
        for one in board.get("annotations", {}).get("list", ())
        if one.get("expr")
    ]
    return (*found, *_variables(file, board.get("templating", {}).get("list", ())))


def _variables(file: str, variables: Sequence[Mapping[str, Any]]) -> Iterator[Subject]:
    for variable in variables:
        query = variable.get("query")
        text = query.get("query", "") if isinstance(query, Mapping) else ""
        if asked := re.fullmatch(r"label_values\((.+), *(\w+)\)", text):
            expr = f"count by ({asked[2]}) ({plain(asked[1])})"
            yield Subject(file, f"variable {variable['name']!r}", "panel", expr)


def plain(expr: str, interval: str | None = None) -> str:
    """Return an expression with values for Grafana's own variables.

    `interval` is the query's shortest step, else the data source's; a rate looks back over four.
    """
    expr = _BRACED.sub(r"$\1", expr)
    if interval:
        shortest = duration(SCRAPES * parse_duration(interval))
        expr = expr.replace("$__rate_interval", shortest)
    for name in sorted(_VARIABLES, key=len, reverse=True):
        expr = expr.replace(name, _VARIABLES[name])
    return expr
