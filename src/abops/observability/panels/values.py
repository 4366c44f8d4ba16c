"""What Prometheus answered -> what a panel is drawn from.

Every series is laid on the same grid of moments, with nothing where no sample was: a gap is
drawn as a gap. What is too much for a chart is cut here, and the cut is said.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from abops.clients.prometheus_queries import Series
from abops.observability.panels.model import Annotation, Column, Event, Line, Panel, Table, Target
from abops.observability.panels.variables import name_of, telling_labels
from abops.observability.panels.window import Window

SERIES_AT_MOST: Final = 200
POINTS_AT_MOST: Final = 11_000
"""Moments of one series; Prometheus refuses more as well."""
EVENTS_AT_MOST: Final = 200
DIGITS: Final = 6
"""Figures of a number that is sent: a chart shows three, and each further one is weight."""
_VALUE: Final = "Value"

Answered = Sequence[tuple[Target, Sequence[Series]]]


def lines_of(panel: Panel, answered: Answered, window: Window) -> tuple[list[Line], str]:
    """Return the panel's series on the window's grid, and a note when some were left out."""
    found = [(target, series) for target, all_ in answered for series in all_]
    lines = [
        Line(name, _on_grid(series, window))
        for (_, series), name in zip(
            found[:SERIES_AT_MOST], _names(panel, found[:SERIES_AT_MOST]), strict=True
        )
    ]
    kept = [line for line in lines if any(value is not None for value in line.values)]
    left_out = len(found) - len(lines)
    return kept, f"{left_out} more series are not shown" if left_out > 0 else ""


def newest_of(panel: Panel, answered: Answered) -> list[Line]:
    """Return the values of instant queries, as lines of one moment."""
    found = [(target, series) for target, all_ in answered for series in all_][:SERIES_AT_MOST]
    lines = [
        Line(name, [_number(series.value[1]) if series.value else None])
        for (_, series), name in zip(found, _names(panel, found), strict=True)
    ]
    return [line for line in lines if line.values[0] is not None]


def _names(panel: Panel, found: Sequence[tuple[Target, Series]]) -> list[str]:
    telling = telling_labels(series.metric for _, series in found)
    return [name_of(s.metric, t.legend, telling) or panel.title for t, s in found]


def _on_grid(series: Series, window: Window) -> list[float | None]:
    values: list[float | None] = [None] * window.count
    for moment, text in series.values:
        index = round((moment - window.start) / window.step)
        if 0 <= index < window.count:
            values[index] = _number(text)
    return values


def _number(text: str) -> float | None:
    value = float(text)
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def heatmap_of(series: Sequence[Series], window: Window) -> list[Line]:
    """Return the buckets of a histogram, lowest first, each without the ones below it."""
    bounds = sorted((float(s.metric["le"]), s) for s in series if _is_bucket(s.metric))
    lines: list[Line] = []
    below: list[float | None] = [None] * window.count
    for _, bucket in bounds[:SERIES_AT_MOST]:
        counts = _on_grid(bucket, window)
        own = [
            None if count is None else max(0.0, count - (lower or 0.0))
            for count, lower in zip(counts, below, strict=True)
        ]
        lines.append(Line(bucket.metric["le"], own))
        below = [
            lower if count is None else count for count, lower in zip(counts, below, strict=True)
        ]
    return lines


def _is_bucket(labels: Mapping[str, str]) -> bool:
    try:
        return not math.isnan(float(labels.get("le", "nan")))
    except ValueError:
        return False


def table_of(panel: Panel, answered: Answered) -> Table:
    """Return the rows that Grafana's `merge` makes: one for each set of labels."""
    rows: dict[tuple[tuple[str, str], ...], dict[str, float | None]] = {}
    for target, all_ in answered:
        for series in all_[:SERIES_AT_MOST]:
            labels = {k: v for k, v in series.metric.items() if k != "__name__"}
            row = rows.setdefault(tuple(sorted(labels.items())), {})
            row[target.ref] = _number(series.value[1]) if series.value else None
    names = sorted({name for labels in rows for name, _ in labels} - panel.hidden)
    labels_first = [Column(panel.renamed.get(name, name)) for name in names]
    figures = [_figure_column(panel, target, single=len(answered) == 1) for target, _ in answered]
    content: list[list[str | float | None]] = [
        [dict(labels).get(name, "") for name in names]
        + [values.get(target.ref) for target, _ in answered]
        for labels, values in sorted(rows.items())
    ]
    return Table(labels_first + figures, content[:SERIES_AT_MOST])


def _figure_column(panel: Panel, target: Target, *, single: bool) -> Column:
    own = f"{_VALUE} #{target.ref}"
    name = panel.renamed.get(own) or (panel.renamed.get(_VALUE) if single else None)
    shown = name or target.legend or (_VALUE if single else target.ref)
    kept = panel.columns.get(shown) or panel.columns.get(own)
    unit = (kept.unit if kept else "") or panel.unit
    decimals = kept.decimals if kept and kept.decimals is not None else panel.decimals
    return Column(shown, is_number=True, unit=unit, decimals=decimals)


def events_of(annotation: Annotation, found: Iterable[Series], step: int) -> list[Event]:
    """Return the stretches in which an annotation's series have samples, newest last."""
    events = []
    for series in found:
        text = name_of(series.metric, annotation.text, ()) or annotation.name
        begin = last = None
        for moment, _ in series.values:
            if begin is None or last is None or moment - last > step:
                if begin is not None and last is not None:
                    events.append(Event(begin, last, text))
                begin = moment
            last = moment
        if begin is not None and last is not None:
            events.append(Event(begin, last, text))
    return sorted(events, key=lambda event: event.start)[-EVENTS_AT_MOST:]
