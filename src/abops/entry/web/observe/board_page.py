"""What the page of a board shows around its charts: time, choices, and each panel's frame."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from markdown_it import MarkdownIt
from markupsafe import Markup
from msgspec import Struct

from abops.observability.panels.model import Board, Dot, Link, Panel, PanelAnswer
from abops.observability.panels.units import figure
from abops.observability.panels.variables import (
    Chosen,
    fill_link,
    fill_query,
    window_variables,
)
from abops.observability.panels.window import Span, window_of
from abops.workflows.board_answers import DRAWN

RANGES: Final = ("15m", "1h", "3h", "6h", "12h", "24h", "2d", "7d", "30d", "90d")
REFRESH: Final = (("off", 0), ("15 s", 15), ("1 m", 60))
VALUES_SHOWN: Final = 12
_FIELDS: Final = (
    "id",
    "type",
    "title",
    "unit",
    "decimals",
    "minimum",
    "maximum",
    "no_value",
    "thresholds",
    "limit_lines",
    "stacked",
    "words",
)
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False})


class Picker(Struct, frozen=True):
    """A variable that the reader chooses."""

    name: str
    title: str
    options: list[str]
    chosen: tuple[str, ...]
    has_all: bool


class Frame(Struct, frozen=True):
    """A panel before it has values."""

    panel: Panel
    settings: str
    """What draws it needs to know, as JSON."""
    queries: list[str]
    links: list[Link]
    text: Markup | None
    is_drawn: bool


class Times(Struct, frozen=True):
    """The time shown: as words for the address, and where its neighbours are."""

    since: str
    until: str
    words: str
    is_relative: bool
    earlier: str
    later: str
    wider: str
    start_ms: int
    end_ms: int
    start_text: str
    end_text: str


def pickers_of(board: Board, choices: Mapping[str, Sequence[str]], chosen: Chosen) -> list[Picker]:
    """Return the choices, each with what is chosen among its options."""
    return [
        Picker(
            name=variable.name,
            title=variable.title,
            options=list(dict.fromkeys([*choices.get(variable.name, ()), *chosen[variable.name]])),
            chosen=chosen[variable.name],
            has_all=variable.all_value is not None,
        )
        for variable in board.variables
    ]


def times_of(since: str, until: str, span: Span, now: datetime, address: "Address") -> Times:
    """Return what the page says about the time it shows."""
    length = span.end - span.start
    step = length / 2
    is_relative = since.startswith("now")
    middle = span.start + step
    later_end = min(span.end + step, now)

    def absolute(start: datetime, end: datetime) -> str:
        return address(_ms(start), _ms(end))

    return Times(
        since=since,
        until="" if is_relative else until,
        words=_words(span),
        is_relative=is_relative,
        earlier=absolute(span.start - step, middle),
        later=absolute(later_end - length, later_end),
        wider=absolute(span.start - step, min(span.end + step, now)),
        start_ms=int(_ms(span.start)),
        end_ms=int(_ms(span.end)),
        start_text=f"{span.start:%Y-%m-%dT%H:%M}",
        end_text=f"{span.end:%Y-%m-%dT%H:%M}",
    )


class Address:
    """Makes addresses of one board: the same choices, another time."""

    def __init__(self, uid: str, chosen: Chosen, **more: str) -> None:
        self._path = f"/dashboards/{uid}"
        self._choices = [(name, value) for name, values in chosen.items() for value in values]
        self._more = [(name, value) for name, value in more.items() if value]

    def __call__(self, since: str, until: str = "", **more: str) -> str:
        """Return the address for a time."""
        time = [("from", since)] + ([("to", until)] if until else [])
        return f"{self._path}?{urlencode([*time, *self._choices, *self._more, *more.items()])}"


def _ms(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


def _words(span: Span) -> str:
    end = f"{span.end:%H:%M}"
    if span.end - span.start >= timedelta(days=1) or span.end.date() != span.start.date():
        end = f"{span.end:%Y-%m-%d %H:%M}"
    return f"{span.start:%Y-%m-%d %H:%M} to {end} UTC"


def frames_of(board: Board, span: Span, chosen: Chosen) -> dict[int, Frame]:
    """Return the frame of each panel, by its id."""
    return {panel.id: _frame(board, panel, span, chosen) for panel in board.panels}


def _frame(board: Board, panel: Panel, span: Span, chosen: Chosen) -> Frame:
    fixed = window_variables(window_of(span, panel.width, scrape_s=panel.scrape_s))
    settings: dict[str, Any] = {name: getattr(panel, name) for name in _FIELDS}
    return Frame(
        panel=panel,
        settings=msgspec.json.encode(settings).decode(),
        queries=[fill_query(t.expr, board.variables, chosen, fixed) for t in panel.targets],
        links=[
            Link(link.title, url)
            for link in panel.links
            if (url := fill_link(link.url, chosen, fixed)).startswith("/") and url[:2] != "//"
        ],
        text=_as_html(fill_link(panel.text, chosen, fixed)) if panel.type == "text" else None,
        is_drawn=panel.type in DRAWN,
    )


def _as_html(text: str) -> Markup:
    return Markup(_MARKDOWN.render(text))  # noqa: S704 - html is off


def values_of(panel: Panel, answer: PanelAnswer | None) -> list[tuple[str, str]]:
    """Return the newest values as text, for a page without scripts."""
    if answer is None or answer.table is not None:
        return []
    return [
        (
            "" if line.name == panel.title else line.name,
            _value_text(panel, line.values[-1]),
        )
        for line in answer.series[:VALUES_SHOWN]
        if line.values
    ]


def _value_text(panel: Panel, value: float | None) -> str:
    word = panel.words.get(f"{value:g}") if value is not None else None
    return word or figure(value, panel.unit, panel.decimals)


def traces_of(answer: PanelAnswer | None) -> list[Dot]:
    """Return a panel's events with a trace, the slowest first."""
    return sorted(answer.dots, key=lambda dot: -dot.value) if answer is not None else []


def clock(seconds: float) -> str:
    """Return a moment's time of day."""
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}"
