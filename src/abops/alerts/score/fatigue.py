"""What the alerts cost the people who get them, and what to change.

Figures over what was stored in a period: pages a person by day and night, alerts an incident,
kinds that nobody ever acknowledged, kinds that go away by themselves within five minutes, kinds
that flap, and how long people take. Each row proposes a change, because a report that only
complains is not read twice. Whether it is night is decided where the person is; a page carries
the hour already.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Literal

from msgspec import Struct

from abops.alerts.model import Severity

NIGHT = (22, 7)
"""From and until which hour people sleep."""
NIGHTS_BEARABLE = 2
"""Pages at night a week that a person can bear; the book on this says two a shift."""
WEEK_S = 7 * 86_400.0
BRIEF_S = 300.0
"""Gone before anybody could have looked."""
OFTEN = 5
"""Incidents of a kind from which on its habits are a finding and not an accident."""
MOSTLY = 0.5
CROWD = 3
"""Incidents of one alert each, on average below this many alerts, were hardly grouped."""

Finding = Literal["never acknowledged", "gone within 5 min", "flapping"]


class Page(Struct, frozen=True):
    """Somebody was woken or disturbed."""

    person: str
    hour: int
    """Hour of the day where the person is, 0 to 23."""


class Closed(Struct, frozen=True):
    """An incident of the period, as stored."""

    number: int
    kind: str
    alerts: int
    opened_at: float
    acked_at: float | None = None
    resolved_at: float | None = None
    resolved_by: str = ""
    """Empty: by itself."""
    flapped: bool = False
    severity: Severity = "warning"


class PersonRow(Struct, frozen=True):
    """How often one person was disturbed."""

    person: str
    day: int
    night: int
    proposal: str


class KindRow(Struct, frozen=True):
    """What a kind costs and does not bring."""

    kind: str
    finding: Finding
    incidents: int
    share: float
    """Of its incidents that the finding holds for."""
    proposal: str


class Fatigue(Struct, frozen=True):
    """The report. None: nothing to take a figure from."""

    incidents: int
    alerts: int
    alerts_per_incident: float | None
    acked: int
    mtta_s: float | None
    """Median seconds from opening to acknowledgement, of those acknowledged."""
    mttr_s: float | None
    """Median seconds from opening to resolution, of those resolved."""
    people: tuple[PersonRow, ...]
    kinds: tuple[KindRow, ...]
    proposal: str


def fatigue(pages: Iterable[Page], incidents: Sequence[Closed], *, period_s: float) -> Fatigue:
    """Count what a period of `period_s` seconds cost, and say what would make it cost less."""
    alerts = sum(incident.alerts for incident in incidents)
    acks = [i.acked_at - i.opened_at for i in incidents if i.acked_at is not None]
    ends = [i.resolved_at - i.opened_at for i in incidents if i.resolved_at is not None]
    each = alerts / len(incidents) if incidents else None
    return Fatigue(
        incidents=len(incidents),
        alerts=alerts,
        alerts_per_incident=each,
        acked=len(acks),
        mtta_s=median(acks) if acks else None,
        mttr_s=median(ends) if ends else None,
        people=people(pages, period_s=period_s),
        kinds=kinds(incidents),
        proposal=_grouping(each, len(incidents)),
    )


def people(pages: Iterable[Page], *, period_s: float) -> tuple[PersonRow, ...]:
    """Return who was disturbed how often, those with the worst nights first."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for page in pages:
        counts[page.person][is_night(page.hour)] += 1
    weeks = max(period_s / WEEK_S, 1.0)
    rows = [
        PersonRow(person, day, night, _relief(day, night, weeks))
        for person, (day, night) in counts.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.night, -row.day, row.person)))


def is_night(hour: int) -> bool:
    """Say whether people sleep at this hour."""
    begins, ends = NIGHT
    return hour >= begins or hour < ends


def kinds(incidents: Iterable[Closed]) -> tuple[KindRow, ...]:
    """Return the kinds that cost more than they bring, the most frequent first."""
    by_kind: dict[str, list[Closed]] = defaultdict(list)
    for incident in incidents:
        by_kind[incident.kind].append(incident)
    rows = [
        KindRow(kind, finding, len(found), share, proposal)
        for kind, found in by_kind.items()
        if len(found) >= OFTEN
        for finding, share, proposal in _habits(kind, found)
    ]
    return tuple(sorted(rows, key=lambda row: (-row.incidents, row.kind, row.finding)))


def _habits(kind: str, found: Sequence[Closed]) -> Iterable[tuple[Finding, float, str]]:
    """Yield what is wrong with a kind: what helps most first, and nothing twice."""
    flapping = _share(found, lambda i: i.flapped)
    brief = _share(found, _went_by_itself)
    if flapping > MOSTLY:
        proposal = (
            f"Give {kind} two thresholds, one to fire at and a lower one to end at, "
            "or a longer keep_firing_for."
        )
        yield "flapping", flapping, proposal
    elif brief > MOSTLY:
        longest = max(_length(i) for i in found if _went_by_itself(i))
        proposal = (
            f"Let {kind} hold {int(longest // 60) + 1} min longer before it fires (`for`): "
            f"{brief:.0%} of its incidents had ended by themselves before that."
        )
        yield "gone within 5 min", brief, proposal
    if all(incident.acked_at is None for incident in found):
        yield "never acknowledged", 1.0, _unheard(kind, found)


def _unheard(kind: str, found: Sequence[Closed]) -> str:
    count = f"{len(found)} incidents, and nobody acknowledged one"
    if any(incident.severity == "critical" for incident in found):
        return f"Ask whether {kind} is critical, or why its pages are not answered: {count}."
    return f"Make {kind} a line of the digest (severity info) or delete its rule: {count}."


def _share(found: Sequence[Closed], holds: Callable[[Closed], bool]) -> float:
    return sum(holds(incident) for incident in found) / len(found)


def _length(incident: Closed) -> float:
    return (incident.resolved_at or incident.opened_at) - incident.opened_at


def _went_by_itself(incident: Closed) -> bool:
    return (
        incident.resolved_at is not None
        and not incident.resolved_by
        and incident.acked_at is None
        and _length(incident) < BRIEF_S
    )


def _relief(day: int, night: int, weeks: float) -> str:
    if night / weeks > NIGHTS_BEARABLE:
        return (
            f"{night / weeks:.1f} pages a week at night, more than {NIGHTS_BEARABLE}: hold what is "
            "not critical until the morning (quiet hours), or add somebody to the rotation."
        )
    if night > day:
        return "Most pages come at night: look which job runs then."
    return "Bearable; nothing to change."


def _grouping(each: float | None, incidents: int) -> str:
    if each is None:
        return "No incident: nothing to change."
    if incidents >= OFTEN and each < CROWD:
        return (
            f"{each:.1f} alerts an incident: hardly anything is grouped. Check that the topology "
            "knows the services, and that alerts carry the label `service`."
        )
    return f"{each:.1f} alerts an incident: that many fewer messages."
