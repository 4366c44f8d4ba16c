"""What the page of the logs shows: pure functions from an address and an answer to rows."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

from msgspec import Struct

from abops.kernel.errors import UsageError
from abops.kernel.quantities import QuantityError, parse_duration
from abops.observability.logs.search import LEVELS, Bar, Found, FoundLine, Query

RANGES: Final = ("15m", "1h", "6h", "24h", "7d")
PAGE_SIZE: Final = 200
TEXT_AT_MOST: Final = 500
TRACE: Final = re.compile(r"[0-9a-fA-F]{32}")
_SHAPE: Final = {"critical": "critical", "error": "critical", "warning": "warning"}
_ALIASES: Final = {"warn": "warning", "err": "error", "fatal": "critical", "panic": "critical"}
_FIRST_FIELDS: Final = ("error.type", "error.message", "http.route", "event.dataset", "trace.id")
_SHOWN_ELSEWHERE: Final = frozenset({"@timestamp", "message", "log.level"})


class Address(Struct, frozen=True):
    """What the address asks for; the strings are as they were typed."""

    q: str = ""
    service: str = ""
    level: str = ""
    trace: str = ""
    since: str = "1h"
    until: str = ""
    """A moment; only older lines. Where the next page begins."""
    env: str = ""

    def url(self, **changes: str) -> str:
        """Return the address with some of it changed, defaults left out."""
        given = {name: str(getattr(self, name)) for name in self.__struct_fields__} | changes
        default = Address()
        kept = {n: v for n, v in given.items() if v and v != getattr(default, n)}
        return f"/logs?{urlencode(kept)}" if kept else "/logs"

    @property
    def is_narrow(self) -> bool:
        """Tell whether something was asked for beyond the newest lines."""
        return bool(self.q or self.service or self.level or self.trace)


class Row(Struct, frozen=True):
    """One line as the table shows it."""

    line: FoundLine
    clock: str
    day: str
    shape: str
    """The mark beside the level: critical, warning, or none."""
    level: str
    trace_url: str
    fields: tuple[tuple[str, str], ...]


class Column(Struct, frozen=True):
    """One bar of the picture, in percent of its height."""

    x: float
    width: float
    height: float
    errors: float
    title: str


def read_address(params: Mapping[str, str], env: str) -> Address:
    """Return what the address asks for; the environment is this console's unless it names one."""
    given = {
        name: params[name].strip()[:TEXT_AT_MOST]
        for name in Address.__struct_fields__
        if params.get(name)
    }
    address = Address(**{"env": env, **given})
    if TRACE.fullmatch(address.q):  # somebody pasted a trace into the box for words
        address = Address(**{"env": env, **given, "q": "", "trace": address.q})
    return address


def query_of(address: Address, now: datetime) -> Query:
    """Return the question to the store. Raises UsageError for what cannot be asked."""
    if address.level and address.level not in LEVELS:
        raise UsageError(f"there is no level {address.level!r}", hint=f"{', '.join(LEVELS)}")
    try:
        window = parse_duration(address.since)
    except QuantityError as error:
        raise UsageError(str(error), hint=error.hint) from error
    until = _moment(address.until) if address.until else None
    return Query(
        text=address.q,
        part=address.service,
        level=address.level,
        trace=address.trace,
        # A trace is looked for in all of time: whoever has its id does not know when it was.
        since=None if address.trace else now - window,
        until=until,
        env=None if address.env == "all" else address.env,
        size=PAGE_SIZE,
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no moment", hint="2026-11-25T11:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def rows_of(found: Found, *, has_traces: bool) -> tuple[Row, ...]:
    """Return the table's rows, the newest first."""
    return tuple(_row(line, has_traces=has_traces) for line in found.lines)


def _row(line: FoundLine, *, has_traces: bool) -> Row:
    level = _ALIASES.get(line.level, line.level)
    day, _, clock = line.at.partition("T")
    trace = line.trace if TRACE.fullmatch(line.trace) else ""
    place = f"/traces/{quote(trace)}" if has_traces else Address().url(trace=trace)
    names: list[str] = [name for name in _FIRST_FIELDS if name in line.fields]
    names += sorted(line.fields.keys() - {*names} - _SHOWN_ELSEWHERE)
    return Row(
        line=line,
        clock=clock[:12],
        day=day,
        shape=_SHAPE.get(level, ""),
        level=level or "-",
        trace_url=place if trace else "",
        fields=tuple((name, str(line.fields[name])) for name in names),
    )


def older_url(address: Address, found: Found) -> str:
    """Return the address of the lines before these; empty when there are none."""
    if found.total <= len(found.lines) or not found.lines:
        return ""
    return address.url(until=found.lines[-1].at)


def columns_of(found: Found, query: Query, now: datetime) -> tuple[Column, ...]:
    """Return the picture of how many lines there were when."""
    if not found.bars or query.since is None:
        return ()
    begin, end = query.since, query.until or now
    span_s = max((end - begin).total_seconds(), 1)
    most = max(bar.lines for bar in found.bars) or 1
    width = 100 * found.bar_s / span_s

    def column(bar: Bar) -> Column:
        at = datetime.fromisoformat(bar.at)
        errors = f", {bar.errors} of them errors" if bar.errors else ""
        return Column(
            x=round(max(100 * (at - begin).total_seconds() / span_s, 0), 3),
            width=round(max(width * 0.86, 0.3), 3),
            height=round(100 * bar.lines / most, 2),
            errors=round(100 * bar.errors / most, 2),
            title=f"{at:%d %b %H:%M:%S} UTC: {bar.lines} lines{errors}",
        )

    return tuple(column(bar) for bar in found.bars if bar.lines)
