"""What a board is, before it is anybody's JSON: rows of panels, each with a question it answers."""

from typing import Literal

from msgspec import Struct

Kind = Literal[
    "stat", "gauge", "bargauge", "timeseries", "table", "heatmap", "state-timeline", "text"
]
Unit = Literal[
    "percentunit", "short", "s", "ms", "m", "h", "d", "bytes", "Bps", "reqps", "ops", "iops", "pps",
    "currencyUSD", "bool",
]  # fmt: skip
Color = Literal["green", "yellow", "orange", "red", "blue"]
FULL = 24
"""Columns of the grid."""
USUAL_NO_VALUE = "no data: nothing was measured in this time"
"""What a panel says that has no words of its own for having no data."""


class Query(Struct, frozen=True):
    """One PromQL expression of a panel. `{{label}}` in `legend` names its series."""

    expr: str
    legend: str = ""
    exemplars: bool = False


class Limit(Struct, frozen=True):
    """From `value` on (below, nothing was wrong) figures have this colour, charts a line."""

    value: float
    color: Color = "red"


class Panel(Struct, frozen=True):
    """One panel. `description` says what it answers and when to worry; it is required."""

    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    limits: tuple[Limit, ...] = ()
    no_value: str = USUAL_NO_VALUE
    width: int = 8
    height: int = 8
    stacked: bool = False
    reversed_limits: bool = False
    """True: small is bad. The base colour is red and the limits lead up to green."""
    signals: bool = False
    """True: links to the traces and logs of the same service and time."""
    maximum: float | None = None
    decimals: int | None = None
    columns: tuple[str, ...] = ()
    """Tables: names of the queries' values, in their order."""
    column_units: tuple[Unit, ...] = ()
    """Tables: units of those values; none: the panel's own."""
    text: str = ""
    values: dict[str, str] = {}
    """Words for values: "1" -> "up"."""


class Row(Struct, frozen=True):
    """A line of the board with a name. Details are collapsed until somebody asks."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


class Board(Struct, frozen=True):
    """One board: `uid` is part of its address and never changes."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    tags: tuple[str, ...] = ()
    file: str = ""
    """Name of its file; empty: the uid without `ab-`."""
    span: str = "6h"
    """Time shown at first."""

    @property
    def filename(self) -> str:
        """Return the name of the board's JSON file."""
        return f"{self.file or self.uid.removeprefix('ab-')}.json"


def stat(  # noqa: PLR0913 - the words of a figure, and what it may say of them
    title: str,
    unit: Unit,
    expr: str,
    description: str,
    *limits: Limit,
    small_is_bad: bool = False,
    no_value: str = USUAL_NO_VALUE,
) -> Panel:
    """Return a figure of the first row: one number, a sixth of the width."""
    return Panel(
        title=title,
        no_value=no_value,
        description=description,
        unit=unit,
        queries=(Query(expr),),
        kind="stat",
        limits=limits,
        reversed_limits=small_is_bad,
        width=4,
        height=4,
    )


def chart(title: str, unit: Unit, description: str, *queries: Query, **more: object) -> Panel:
    """Return a chart over time; `more` are further fields of Panel."""
    return Panel(title=title, description=description, unit=unit, queries=queries, **more)  # type: ignore[arg-type]
