"""A board as it was read, and the values that a panel is drawn from."""

from typing import Literal

from msgspec import Struct

Kind = Literal["range", "instant", "table", "heatmap"]
Status = Literal["ok", "empty", "error", "stale"]


class Target(Struct, frozen=True):
    """One query of a panel. `{{label}}` in `legend` names its series."""

    ref: str
    expr: str
    legend: str = ""
    kind: Kind = "range"
    scrape_s: int = 0
    """Seconds between two of its samples, where the board says so (Grafana: min step); 0: usual."""


class Threshold(Struct, frozen=True):
    """From `value` on, a figure has this colour; None: from the smallest value on."""

    value: float | None
    color: str


class Link(Struct, frozen=True):
    """Where a panel leads to; may hold variables."""

    title: str
    url: str


class ColumnFormat(Struct, frozen=True):
    """How one column of a table is written, when not like the rest."""

    unit: str = ""
    decimals: int | None = None


class Panel(Struct, frozen=True):
    """One panel, whatever draws it."""

    id: int
    type: str
    title: str
    description: str = ""
    left: int = 0
    """First of its columns; the grid has 24."""
    width: int = 12
    height: int = 8
    unit: str = "short"
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    no_value: str = ""
    thresholds: tuple[Threshold, ...] = ()
    limit_lines: bool = False
    stacked: bool = False
    fill: int = 0
    words: dict[str, str] = {}
    """Words for values: "1" -> "up"."""
    links: tuple[Link, ...] = ()
    targets: tuple[Target, ...] = ()
    text: str = ""
    renamed: dict[str, str] = {}
    hidden: frozenset[str] = frozenset()
    columns: dict[str, ColumnFormat] = {}

    @property
    def scrape_s(self) -> int:
        """Return the seconds between two samples of its slowest query; 0: as usual.

        One grid of moments serves all its lines, so the slowest query decides.
        """
        return max((target.scrape_s for target in self.targets), default=0)


class Row(Struct, frozen=True):
    """Panels under one title; a collapsed row is loaded when somebody opens it."""

    title: str
    collapsed: bool
    panels: tuple[Panel, ...]


class Variable(Struct, frozen=True):
    """What a reader may choose: the values of `label` on the series that `metric` selects."""

    name: str
    title: str
    metric: str = ""
    label: str = ""
    choices: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    """What counts when the reader chose nothing; empty: all."""
    all_value: str | None = None


class Annotation(Struct, frozen=True):
    """Events that are marked on every chart."""

    name: str
    expr: str
    color: str
    text: str


class Board(Struct, frozen=True):
    """One board."""

    uid: str
    title: str
    description: str
    tags: tuple[str, ...]
    since: str
    refresh_s: int
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    annotations: tuple[Annotation, ...] = ()

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Return the panels of all rows."""
        return tuple(panel for row in self.rows for panel in row.panels)


class Line(Struct, frozen=True):
    """One series on the panel's grid of moments; None where there was no sample."""

    name: str
    values: list[float | None]


class Column(Struct, frozen=True):
    """A column of a table: labels on the left, figures on the right."""

    name: str
    is_number: bool = False
    unit: str = ""
    decimals: int | None = None


class Table(Struct, frozen=True):
    """A table as it is shown."""

    columns: list[Column]
    rows: list[list[str | float | None]]


class Dot(Struct, frozen=True):
    """One event with a trace, as it is marked on a chart: when, how long, which trace."""

    at: float
    value: float
    trace: str
    text: str = ""
    """What tells it from the others: its route, its task."""


class PanelAnswer(Struct, frozen=True, omit_defaults=True):
    """What one panel is drawn from; one line of the stream."""

    panel: int
    status: Status
    ms: int = 0
    start: float = 0.0
    step: float = 0.0
    count: int = 0
    series: list[Line] = []
    table: Table | None = None
    dots: list[Dot] = []
    """Events with a trace, in the order of their time."""
    note: str = ""
    error: str = ""
    is_silent: bool = False
    """True: Prometheus gave no answer at all; the question may be a good one."""
    age_s: int = 0
    """Seconds since Prometheus gave this answer, when it is not a fresh one."""


class Event(Struct, frozen=True):
    """Something that happened, from one moment to another (in seconds since 1970)."""

    start: float
    end: float
    text: str


class AnnotationAnswer(Struct, frozen=True):
    """The events of one annotation; a line of the stream that belongs to no panel."""

    annotation: str
    color: str
    events: list[Event]
