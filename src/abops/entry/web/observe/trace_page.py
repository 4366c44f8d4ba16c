"""What the pages of traces show: pure functions from an address and an answer to rows."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from abops.kernel.errors import UsageError
from abops.kernel.quantities import QuantityError, parse_duration
from abops.observability.traces.layout import WIDTH, Picture, brief
from abops.observability.traces.search import FoundTrace, TraceQuery

RANGES: Final = ("15m", "1h", "6h", "24h", "2d")
MINIMA: Final = ("100ms", "500ms", "1s", "5s", "30s")
PAGE_SIZE: Final = 50
TEXT_AT_MOST: Final = 200
TRACE: Final = re.compile(r"[0-9a-fA-F]{32}")
LONGEST: Final = timedelta(days=366)
TICKS: Final = 4
NS: Final = 1_000_000_000
BARRED_BELOW_NS: Final = 1_000_000
"""Below a millisecond all traces are quick: their bars do not fill the column."""


class Address(Struct, frozen=True):
    """What the address asks for; the strings are as they were typed."""

    service: str = ""
    operation: str = ""
    min: str = ""
    errors: str = ""
    since: str = "1h"
    until: str = ""
    """A moment; only older traces. Where the next page begins."""
    env: str = ""

    def url(self, **changes: str) -> str:
        """Return the address with some of it changed, defaults left out."""
        given = {name: str(getattr(self, name)) for name in self.__struct_fields__} | changes
        default = Address()
        kept = {n: v for n, v in given.items() if v and v != getattr(default, n)}
        return f"/traces?{urlencode(kept)}" if kept else "/traces"

    @property
    def is_narrow(self) -> bool:
        """Tell whether something was asked for beyond the newest traces."""
        return bool(self.service or self.operation or self.min or self.errors)


class Line(Struct, frozen=True):
    """One trace as the table shows it."""

    trace: FoundTrace
    at: datetime
    duration: str
    bar: float
    """Thousandths of the column; the slowest trace fills it."""


class Dot(Struct, frozen=True):
    """One trace in the picture of when and how long."""

    x: float
    y: float
    trace: FoundTrace
    title: str


def read_address(params: Mapping[str, str], env: str) -> Address:
    """Return what the address asks for; the environment is this console's unless it names one."""
    given = {
        name: params[name].strip()[:TEXT_AT_MOST]
        for name in Address.__struct_fields__
        if params.get(name)
    }
    return Address(**{"env": env, **given})


def query_of(address: Address, now: datetime) -> TraceQuery:
    """Return the question. Raises UsageError for what cannot be asked."""
    window = _duration(address.since, "last")
    until = _moment(address.until) if address.until else now
    return TraceQuery(
        since=until - min(window, LONGEST),
        until=until,
        service=address.service,
        operation=address.operation if address.service else "",
        minimum=_duration(address.min, "at least") if address.min else None,
        failed_only=address.errors == "1",
        environment="" if address.env == "all" else address.env,
        limit=PAGE_SIZE,
    )


def _duration(text: str, field: str) -> timedelta:
    try:
        return parse_duration(text)
    except QuantityError as error:
        raise UsageError(f"{field}: {error}", hint=error.hint) from error


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no moment", hint="2026-11-25T11:00:00Z") from error


def lines_of(traces: tuple[FoundTrace, ...]) -> tuple[Line, ...]:
    """Return the rows of the table."""
    slowest = max((trace.duration_ns for trace in traces), default=0)
    whole = max(slowest, BARRED_BELOW_NS)
    return tuple(
        Line(
            trace,
            moment_of(trace.start_ns),
            brief(trace.duration_ns),
            round(max(WIDTH * trace.duration_ns / whole, 4), 1),
        )
        for trace in traces
    )


def dots_of(traces: tuple[FoundTrace, ...], query: TraceQuery) -> tuple[Dot, ...]:
    """Return the picture: when from left to right, how long from below upwards, by logarithm."""
    begin = query.since.timestamp()
    span = max((query.until - query.since).total_seconds(), 1)
    logs = [math.log10(max(trace.duration_ns, 1_000)) for trace in traces]
    low, high = min(logs, default=0), max(logs, default=1)
    reach = max(high - low, 0.5)
    return tuple(
        Dot(
            x=round(min(max(WIDTH * (trace.start_ns / NS - begin) / span, 0), WIDTH), 1),
            y=round(90 - 80 * (size - low) / reach, 1),
            trace=trace,
            title=f"{moment_of(trace.start_ns):%H:%M:%S} {brief(trace.duration_ns)} "
            f"{trace.service} {trace.operation}",
        )
        for trace, size in zip(traces, logs, strict=True)
    )


def older_url(address: Address, traces: tuple[FoundTrace, ...], *, is_partial: bool) -> str:
    """Return the address of the traces before these; empty when there are none."""
    if not traces or (len(traces) < PAGE_SIZE and not is_partial):
        return ""
    return address.url(until=moment_of(traces[-1].start_ns).isoformat())


def moment_of(nanoseconds: int) -> datetime:
    """Return a moment of a span, as far as a calendar goes."""
    try:
        return datetime.fromtimestamp(nanoseconds / NS, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def ticks_of(picture: Picture) -> tuple[str, ...]:
    """Return what stands above the bars: the time since the beginning."""
    return tuple(brief(picture.duration_ns * tick // TICKS) for tick in range(TICKS + 1))


def marks_of(picture: Picture) -> tuple[tuple[str, str], ...]:
    """Return what is unusual about a trace: a short word and what it means."""
    found = []
    if not picture.has_root:
        found.append(("beginning missing", _NO_ROOT))
    elif picture.missing:
        found.append(("spans missing", _GAPS))
    if picture.late:
        found.append((f"{picture.late} late", _LATE))
    if picture.moved:
        found.append(("clocks differ", _MOVED))
    return tuple(found)


_NO_ROOT: Final = (
    "What began this was not kept: one trace in ten is, and what failed or was slow is sent "
    "afterwards, without what called it. The lines of the log have the whole trace."
)
_GAPS: Final = (
    "A dashed row stands for a span that others name as their parent and that is not here: not "
    "sent yet, not kept, or lost. Load the page again in some seconds."
)
_LATE: Final = (
    "A late span was not to be kept and was sent after its end, because it failed or took more "
    "than a second. What it called is not here."
)
_MOVED: Final = (
    "The clock of a machine is ahead or behind. Its spans are shown where they must have been; "
    "how long they took is right, when they began is a guess."
)
