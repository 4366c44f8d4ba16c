"""The weekly report: what happened, how fast people were there, what was noisy. Pure.

Each figure stands beside the one of the week before, and each row that costs people sleep or
attention carries a proposal: a letter that only counts is not read twice.
"""

from collections.abc import Callable, Sequence
from html import escape
from textwrap import wrap

from msgspec import Struct

from abops.alerts.score.fatigue import Fatigue
from abops.alerts.service.period import KindFigures, Statistics
from abops.kernel.quantities import humanize_seconds

_NOISIEST = 5
_WIDTH = 78
_CELL = "padding:4px 16px 4px 0;text-align:left;vertical-align:top"
_RIGHT = "padding:4px 16px 4px 0;text-align:right;vertical-align:top;white-space:nowrap"


class WeeklyReport(Struct, frozen=True):
    """The report in both forms."""

    subject: str
    text: str
    html: str


class _Table(Struct, frozen=True):
    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    otherwise: str
    """What is said when there is no row."""


def weekly(period: Statistics, *, name: str) -> WeeklyReport:
    """Write the report of a week."""
    tables = (
        _figures(period.now, period.before),
        _noisiest(period.kinds),
        _people(period.now),
        _unresolved(period.unresolved),
    )
    dates = f"{period.since:%Y-%m-%d} to {period.until:%Y-%m-%d}"
    count = period.now.incidents
    return WeeklyReport(
        subject=f"{name}: {count} incident{'' if count == 1 else 's'}, {dates}",
        text=_text(f"{name}, {dates}", tables),
        html=_html(f"{name}, {dates}", tables),
    )


def _figures(now: Fatigue, before: Fatigue) -> _Table:
    pages, earlier = (sum(p.day + p.night for p in of.people) for of in (now, before))
    nights, nights_before = (sum(p.night for p in of.people) for of in (now, before))
    rows = (
        ("Incidents", str(now.incidents), str(before.incidents)),
        ("Alerts", str(now.alerts), str(before.alerts)),
        ("Acknowledged", str(now.acked), str(before.acked)),
        ("Median time to acknowledge", duration(now.mtta_s), duration(before.mtta_s)),
        ("Median time to resolve", duration(now.mttr_s), duration(before.mttr_s)),
        ("Pages", str(pages), str(earlier)),
        ("of them at night", str(nights), str(nights_before)),
    )
    return _Table("Figures", ("", "this week", "week before"), rows, "")


def _noisiest(kinds: Sequence[KindFigures]) -> _Table:
    rows = tuple(
        (
            kind.kind,
            str(kind.incidents),
            str(kind.acked),
            " ".join(row.proposal for row in kind.proposals).replace("`", "")
            or "Nothing to change.",
        )
        for kind in kinds[:_NOISIEST]
    )
    columns = ("kind", "incidents", "acknowledged", "proposal")
    return _Table("Most frequent", columns, rows, "No incident.")


def _people(now: Fatigue) -> _Table:
    rows = tuple((p.person, str(p.day), str(p.night), p.proposal) for p in now.people)
    columns = ("who", "pages by day", "at night", "proposal")
    return _Table("Pages a person", columns, rows, "Nobody was paged.")


def _unresolved(unresolved: Sequence[tuple[int, str]]) -> _Table:
    rows = tuple((f"INC-{number}", title) for number, title in unresolved)
    return _Table("Still open", ("incident", "what"), rows, "Nothing.")


def duration(seconds: float | None) -> str:
    """Write a time, or that there is none."""
    return "-" if seconds is None else humanize_seconds(seconds)


def _text(title: str, tables: Sequence[_Table]) -> str:
    lines = [title, ""]
    for table in tables:
        lines += [table.heading, *_lines(table), ""]
    return "\n".join(lines)


def _lines(table: _Table) -> list[str]:
    """Set a table in columns; the last one, which may be long, has its own line when it is."""
    if not table.rows:
        return [f"  {table.otherwise}"]
    proposes = table.columns[-1] == "proposal"
    shown = [row[:-1] if proposes else row for row in (table.columns, *table.rows)]
    widths = [max(len(row[n]) for row in shown) for n in range(len(shown[0]))]
    lines = []
    for row, whole in zip(shown, (table.columns, *table.rows), strict=True):
        cells = [
            cell.rjust(width) if n and not _is_words(table, n) else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(("  " + "  ".join(cells)).rstrip())
        if proposes and whole is not table.columns:
            lines += wrap(whole[-1], _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return lines


def _is_words(table: _Table, column: int) -> bool:
    return table.columns[column] in {"what", "proposal"}


def _html(title: str, tables: Sequence[_Table]) -> str:
    parts = [f"<h1 style='font-size:20px'>{escape(title)}</h1>"]
    for table in tables:
        parts.append(f"<h2 style='font-size:16px'>{escape(table.heading)}</h2>")
        if not table.rows:
            parts.append(f"<p>{escape(table.otherwise)}</p>")
            continue
        head = _row(table, table.columns, "th", str.capitalize)
        body = "".join(_row(table, row, "td", str) for row in table.rows)
        parts.append(f"<table style='border-collapse:collapse'>{head}{body}</table>")
    style = "font:14px/1.45 sans-serif;max-width:720px"
    return f"<!doctype html><html lang='en'><body style='{style}'>{''.join(parts)}</body></html>"


def _row(table: _Table, cells: Sequence[str], tag: str, say: Callable[[str], str]) -> str:
    shown = (
        f"<{tag} style='{_RIGHT if n and not _is_words(table, n) else _CELL}'>"
        f"{escape(say(cell))}</{tag}>"
        for n, cell in enumerate(cells)
    )
    return f"<tr>{''.join(shown)}</tr>"
