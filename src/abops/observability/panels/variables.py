"""Variables in queries, legends and links: `$env`, `${env:regex}`, `$__rate_interval`.

A value that the reader chose comes from the address of the page. It is escaped for where it
stands, inside a quoted string of PromQL, so that it selects what it names and nothing else.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote

from abops.observability.panels.model import Board, Variable
from abops.observability.panels.window import Window, rate_interval

_USE: Final = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)|\[\[(\w+)(?::(\w+))?\]\]")
_LEGEND: Final = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
_SPECIAL: Final = re.compile(r"[\\^$.*+?()\[\]{}|]")
VALUES_AT_MOST: Final = 50
VALUE_LENGTH: Final = 200
ALL: Final = frozenset({"", "$__all", "All", "all"})

Chosen = Mapping[str, tuple[str, ...]]
ValueOf = Callable[[str, str], str | None]
"""Takes a name and a form; None: there is no such variable."""


def chosen_of(board: Board, given: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return each variable's chosen values; none: all of them.

    `given` has what the address says, under the variable's name or Grafana's `var-` name.
    """
    found = {}
    for variable in board.variables:
        values = [*given.get(variable.name, ()), *given.get(f"var-{variable.name}", ())]
        kept = [v[:VALUE_LENGTH] for v in values if v not in ALL][:VALUES_AT_MOST]
        found[variable.name] = tuple(dict.fromkeys(kept)) or (() if values else variable.chosen)
    return found


def window_variables(window: Window) -> dict[str, str]:
    """Return the variables that follow from the time shown."""
    seconds = window.end - window.start
    return {
        "__interval": f"{window.step}s",
        "__interval_ms": str(window.step * 1000),
        "__rate_interval": f"{rate_interval(window.step, scrape_s=window.scrape_s)}s",
        "__range": f"{seconds}s",
        "__range_s": str(seconds),
        "__range_ms": str(seconds * 1000),
        "__from": str(window.start * 1000),
        "__to": str(window.end * 1000),
    }


def fill_query(
    expr: str, variables: Iterable[Variable], chosen: Chosen, fixed: Mapping[str, str]
) -> str:
    """Return `expr` with its variables filled in; one that is not known stays as it is."""
    known = {variable.name: variable for variable in variables}

    def value(name: str, form: str) -> str | None:
        if name in fixed:
            return fixed[name]
        if name not in known:
            return None
        return _as_pattern(known[name], chosen.get(name, ()), form)

    return _filled(expr, value)


def fill_link(url: str, chosen: Chosen, fixed: Mapping[str, str]) -> str:
    """Return `url` with its variables filled in; a variable that stands for all is empty."""

    def value(name: str, _form: str) -> str:
        return fixed.get(name) or quote(",".join(chosen.get(name, ())), safe=",")

    return _filled(url, value)


def _filled(text: str, value_of: ValueOf) -> str:
    def replaced(found: re.Match[str]) -> str:
        name = found[1] or found[3] or found[4]
        value = value_of(name, found[2] or found[5] or "")
        return found[0] if value is None else value

    return _USE.sub(replaced, text)


def _as_pattern(variable: Variable, values: tuple[str, ...], form: str) -> str:
    """Return the values for the inside of a quoted PromQL string, as a regular expression."""
    if not values:
        return variable.all_value or ".*"
    if form == "raw":
        return _in_string("|".join(values))
    pattern = "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values)
    return _in_string(f"({pattern})" if len(values) > 1 else pattern)


def _in_string(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def name_of(labels: Mapping[str, str], legend: str, telling: Iterable[str]) -> str:
    """Return the name of a series: by the legend, else by the labels that tell series apart."""
    if legend and legend != "__auto":
        return _LEGEND.sub(lambda found: labels.get(found[1], ""), legend).strip()
    return " ".join(labels[label] for label in telling if labels.get(label))


def telling_labels(all_labels: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the labels in which the series differ, sorted."""
    values: dict[str, set[str]] = {}
    count = 0
    for labels in all_labels:
        count += 1
        for name, value in labels.items():
            values.setdefault(name, set()).add(value)
    if count == 1:
        return []
    return sorted(name for name, found in values.items() if len(found) > 1 and name != "__name__")
