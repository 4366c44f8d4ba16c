"""What the list of incidents shows: pure functions from an address and incidents to rows.

The list answers two questions in five seconds: which incident first, and why. So what is open
comes before what somebody already takes care of, and critical before warning; age decides last.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol, TypeVar, get_args
from urllib.parse import urlencode

from msgspec import Struct

from abops.alerts.model import (
    SEVERITIES,
    IncidentState,
    Severity,
)
from abops.kernel.quantities import QuantityError, parse_duration

T = TypeVar("T", bound=str)
Show = Literal["active", "open", "acked", "resolved", "all"]
SHOWN: Final[tuple[Show, ...]] = get_args(Show)
RANGES: Final = ("1h", "6h", "24h", "7d", "30d")
PAGE_SIZE: Final = 100
OFFERED_AT_MOST: Final = 200
"""Services in the filter; a longer list is no help, and search finds the rest."""
_STATE_RANK: Final = {"open": 0, "acked": 1, "resolved": 2}
_SEVERITY_RANK: Final = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_STATES_OF: Final[dict[Show, frozenset[IncidentState]]] = {
    "active": frozenset({"open", "acked"}),
    "open": frozenset({"open"}),
    "acked": frozenset({"acked"}),
    "resolved": frozenset({"resolved"}),
    "all": frozenset({"open", "acked", "resolved"}),
}


class Line(Protocol):
    """What of an incident the list counts and sorts by: a brief, or more."""

    @property
    def number(self) -> int: ...  # noqa: D102 - as of an incident
    @property
    def title(self) -> str: ...  # noqa: D102 - as of an incident
    @property
    def state(self) -> IncidentState: ...  # noqa: D102 - as of an incident
    @property
    def severity(self) -> Severity: ...  # noqa: D102 - as of an incident
    @property
    def service(self) -> str: ...  # noqa: D102 - as of an incident
    @property
    def env(self) -> str: ...  # noqa: D102 - as of an incident
    @property
    def alerts(self) -> int: ...  # noqa: D102 - as of an incident
    @property
    def opened_at(self) -> datetime: ...  # noqa: D102 - as of an incident
    @property
    def acked_at(self) -> datetime | None: ...  # noqa: D102 - as of an incident
    @property
    def resolved_at(self) -> datetime | None: ...  # noqa: D102 - as of an incident


class ListQuery(Struct, frozen=True):
    """What the address of the list asks for. A value it does not know counts as not given."""

    show: Show = "active"
    severity: Severity | None = None
    service: str = ""
    env: str = ""
    since: str = "24h"
    page: int = 1

    def params(self, **changes: str | int) -> dict[str, str | int]:
        """Return the parameters of the address, defaults left out."""
        given: dict[str, str | int] = {
            "state": self.show,
            "severity": self.severity or "",
            "service": self.service,
            "env": self.env,
            "since": self.since,
            "page": self.page,
        }
        defaults = {"state": "active", "since": "24h", "page": 1}
        if changes.keys() - {"page"}:
            given["page"] = 1
        given |= changes
        return {k: v for k, v in given.items() if v != defaults.get(k, "")}

    def url(self, **changes: str | int) -> str:
        """Return the address of the list with some parameters changed."""
        params = urlencode(self.params(**changes))
        return f"/incidents?{params}" if params else "/incidents"

    @property
    def filters(self) -> bool:
        """Whether something beside state and time is asked for."""
        return bool(self.severity or self.service or self.env)


class IncidentList(Struct, frozen=True):
    """The list page's content."""

    query: ListQuery
    rows: tuple[Line, ...]
    matched: int
    counts: Mapping[Show, int]
    """Incidents by state, other filters applied."""
    open_by_severity: Mapping[str, int]
    alerts: int
    """Alerts in the incidents that are not resolved."""
    active: int
    mtta: timedelta | None
    """Mean time from an incident's opening to its acknowledgement. None: nothing was acked."""
    services: tuple[str, ...]
    envs: tuple[str, ...]

    @property
    def first(self) -> int:
        """Position of the first row shown, from one."""
        return (self.query.page - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        """Position of the last row shown."""
        return self.first + len(self.rows) - 1


def read_query(params: Mapping[str, str]) -> ListQuery:
    """Read the address: whatever cannot be read falls back to its default."""
    page = params.get("page", "")
    return ListQuery(
        show=_one_of(params.get("state"), SHOWN) or "active",
        severity=_one_of(params.get("severity"), SEVERITIES),
        service=params.get("service", "")[:253],
        env=params.get("env", "")[:253],
        since=_range(params.get("since", "")),
        page=max(1, int(page)) if page.isdecimal() and len(page) < 6 else 1,  # noqa: PLR2004
    )


def list_incidents(incidents: Sequence[Line], query: ListQuery, now: datetime) -> IncidentList:
    """Return what the list page shows of all incidents that are known."""
    start = now - parse_duration(query.since)
    recent = [i for i in incidents if i.resolved_at is None or i.resolved_at >= start]
    chosen = [i for i in recent if _matches(i, query)]
    by_state = Counter(i.state for i in chosen)
    wanted = _STATES_OF[query.show]
    rows = sorted((i for i in chosen if i.state in wanted), key=_urgency)
    page = min(query.page, max(1, -(-len(rows) // PAGE_SIZE)))
    query = _on_page(query, page)
    active = [i for i in chosen if i.state != "resolved"]
    return IncidentList(
        query=query,
        rows=tuple(rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]),
        matched=len(rows),
        counts={s: sum(by_state[state] for state in _STATES_OF[s]) for s in SHOWN},
        open_by_severity=Counter(i.severity for i in active if i.state == "open"),
        alerts=sum(i.alerts for i in active),
        active=len(active),
        mtta=mean_time_to_ack(i for i in chosen if i.opened_at >= start),
        services=_offered(Counter(i.service for i in recent), query.service),
        envs=tuple(sorted({i.env for i in incidents} | ({query.env} - {""}))),
    )


def mean_time_to_ack(incidents: Iterable[Line]) -> timedelta | None:
    """Return the mean time from opening to acknowledgement of those that were acknowledged."""
    times = [i.acked_at - i.opened_at for i in incidents if i.acked_at is not None]
    return sum(times, timedelta()) / len(times) if times else None


def find_incidents(incidents: Sequence[Line], words: str) -> tuple[Line, ...]:
    """Return the incidents whose number, service, title or environment has every word."""
    needles = words.casefold().split()
    if not needles:
        return ()
    return tuple(
        sorted(
            (i for i in incidents if all(needle in _searchable(i) for needle in needles)),
            key=_urgency,
        )
    )


def _offered(services: Counter[str], chosen: str) -> tuple[str, ...]:
    """Return the services to choose from: those with the most incidents, by name."""
    names = {name for name, _ in services.most_common(OFFERED_AT_MOST)}
    return tuple(sorted(names | ({chosen} - {""})))


def _one_of(value: str | None, known: tuple[T, ...]) -> T | None:
    return next((name for name in known if name == value), None)


def _range(text: str) -> str:
    try:
        return text if text and parse_duration(text) else "24h"
    except (QuantityError, OverflowError):
        return "24h"


def _matches(incident: Line, query: ListQuery) -> bool:
    return (
        (query.severity is None or incident.severity == query.severity)
        and query.service in {"", incident.service}
        and query.env in {"", incident.env}
    )


def _urgency(incident: Line) -> tuple[int, int, float]:
    return (
        _STATE_RANK[incident.state],
        _SEVERITY_RANK[incident.severity],
        -incident.opened_at.timestamp(),
    )


def _searchable(incident: Line) -> str:
    return (
        f"inc-{incident.number} {incident.service} {incident.title} "
        f"{incident.env} {incident.severity} {incident.state}"
    ).casefold()


def _on_page(query: ListQuery, page: int) -> ListQuery:
    if page == query.page:
        return query
    return ListQuery(query.show, query.severity, query.service, query.env, query.since, page)


def incident_number(words: str) -> int | None:
    """Return the number in `INC-42`, `inc42`, `#42` or `42`. None: it is not a number."""
    digits = words.strip().casefold().removeprefix("inc").lstrip("-# ")
    return int(digits) if digits.isdecimal() and len(digits) < 16 else None  # noqa: PLR2004
