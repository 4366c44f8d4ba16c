"""Mistakes in `slos:` that only show beside the rest of the inventory."""

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from abops.inventory.check import Finding, Place, nearest
from abops.inventory.indicators import TIMED, Indicator, indicator, slis_of
from abops.inventory.model import Inventory, Objective, Part
from abops.kernel.quantities import format_duration

WINDOWS: Final = (timedelta(days=28), timedelta(days=30))
"""Burn rates and retention are made for these: four whole weeks, or 30 days."""
PAGE_SHARE: Final = 0.02
"""Share of the budget that may go in an hour before somebody is paged."""


def findings(inventory: Inventory) -> Iterator[Finding]:
    """Yield every mistake in the objectives, in the file's order."""
    names: set[str] = set()
    parts = {part.name: part for part in inventory.parts}
    for index, objective in enumerate(inventory.slos):
        place: Place = ("slos", index)
        if objective.name in names:
            yield Finding(
                (*place, "name"),
                f"{objective.name!r} is already the name of an objective",
                "Alerts, series and pages go by it: give each objective a name of its own.",
            )
        names.add(objective.name)
        yield from _values(place, objective)
        part = parts.get(objective.service)
        if part is None:
            yield Finding(
                (*place, "service"),
                f"objective {objective.name!r} is about {objective.service!r}, which does not"
                " exist",
                nearest(objective.service, parts),
            )
        else:
            yield from _measured(place, objective, part)


def _values(place: Place, objective: Objective) -> Iterator[Finding]:
    if objective.window not in WINDOWS:
        yield Finding(
            (*place, "window"),
            f"{objective.name!r} has a window of {format_duration(objective.window)}",
            f"Write {' or '.join(format_days(window) for window in WINDOWS)}.",
        )
    elif page_factor(objective.window) * objective.budget >= 1:
        least = 100 * (1 - 1 / page_factor(objective.window))
        yield Finding(
            (*place, "objective"),
            f"{objective.name!r} promises {objective.objective:g} %: even if every event were bad,"
            " nobody would be paged",
            f"Promise more than {math.ceil(least * 10) / 10:g} %.",
        )


def _measured(place: Place, objective: Objective, part: Part) -> Iterator[Finding]:
    if objective.sli == "probe" and getattr(part, "probe", None) is None:
        yield Finding(
            (*place, "sli"),
            f"{part.name!r} has no probe for {objective.name!r}",
            "Give the part a probe, or choose another sli.",
        )
    what = indicator(part.kind, objective.sli)
    if what is None:
        known = slis_of(part.kind)
        yield Finding(
            (*place, "sli"),
            f"{objective.sli!r} means nothing for {part.name!r}, which is of kind {part.kind!r}",
            f"Known for this kind: {', '.join(known)}." if known else "Only a probe is known.",
        )
        return
    yield from _threshold(place, objective, what)


def _threshold(place: Place, objective: Objective, what: Indicator) -> Iterator[Finding]:
    where = (*place, "threshold")
    if objective.sli not in TIMED:
        if objective.threshold is not None:
            yield Finding(
                where,
                f"{objective.name!r} has a threshold, which {objective.sli} does not know",
                "Remove it, or choose sli: latency.",
            )
    elif objective.threshold is None:
        yield Finding(
            place,
            f"{objective.name!r} has no threshold",
            f"Add it: {_edges(what)}.",
        )
    elif objective.threshold.total_seconds() not in what.edges:
        yield Finding(
            where,
            f"the histogram of {what.events} has no bucket that ends at"
            f" {format_duration(objective.threshold)}",
            f"Write one of {_edges(what)}.",
        )


def _edges(what: Indicator) -> str:
    return ", ".join(format_duration(timedelta(seconds=edge)) for edge in what.edges)


def page_factor(window: timedelta) -> float:
    """Return how many times too fast the budget may go over an hour: 14.4 for 30 days."""
    return round(PAGE_SHARE * window / timedelta(hours=1), 6)


def format_days(span: timedelta) -> str:
    """Write whole days as days: 28d, not 4w."""
    return f"{span.days}d"
