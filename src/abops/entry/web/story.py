"""What the page of one incident tells: why it came, who was told, when it was silent."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from abops.alerts.model import (
    SEVERITIES,
    Alert,
    Delivery,
    DeliveryKind,
    IncidentDetail,
    TimelineEntry,
)
from abops.alerts.store.changes import StoredChange

GAP: Final = timedelta(minutes=5)
"""A silence in a timeline from which on it is told."""
_NEWS: Final = frozenset({"open", "rise", "fallback"})
_WINDOW: Final = re.compile(r"\bwindow (\d+)(?=: )")
_BESIDE: Final = re.compile(r"\bnot part of INC-(\d+)$")
WORDS: Final[dict[DeliveryKind, str]] = {
    "open": "opened",
    "rise": "got worse",
    "update": "update",
    "ack": "acked",
    "unack": "un-acked",
    "resolve": "resolved",
    "fallback": "fallback",
    "escalate": "next level paged",
    "remind": "reminder",
    "digest": "digest",
    "hourly": "hourly digest",
}


class Told(Struct, frozen=True):
    """One line of who was told."""

    delivery: Delivery
    what: str
    after_s: float | None
    times: int = 1


class Mark(Struct, frozen=True):
    """Something that was changed while an incident lasted, or shortly before it began."""

    at: datetime
    text: str
    actor: str
    url: str
    before: timedelta | None
    """How long before the first alert. None: it came later."""
    kind: str = "change"


Entry: TypeAlias = TimelineEntry | Mark


def mark_of(change: StoredChange, began: datetime) -> Mark:
    """Return a change as a mark on the timeline of an incident that began then."""
    where = f" of {change.service}" if change.service else ""
    return Mark(
        change.at,
        f"{change.kind}{where}: {change.title}",
        change.actor,
        change.url,
        began - change.at if change.at <= began else None,
    )


def parts_around(detail: IncidentDetail, calls: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the parts whose changes matter: those with alerts, whom they call, suspected causes.

    The empty name is among them: a change of the whole environment.
    """
    own = {member.alert.service for member in detail.members} | {detail.summary.service}
    called = {callee for caller, callee in calls if caller in own}
    return frozenset(own | called | {cause.entity for cause in detail.causes} | {""})


def with_marks(timeline: Iterable[TimelineEntry], marks: Iterable[Mark]) -> list[Entry]:
    """Return what happened and what was changed, in order of time; a change before its effect."""
    entries: list[Entry] = [*marks, *timeline]
    return sorted(entries, key=lambda entry: entry.at)


def with_names(timeline: Iterable[TimelineEntry], names: Mapping[int, str]) -> list[TimelineEntry]:
    """Return the entries with what people called the windows that they name by number."""
    return [replace(entry, text=named(entry.text, names)) for entry in timeline]


def named(text: str, names: Mapping[int, str]) -> str:
    """Call each window of a text by its name as well: window 3 (New disk): the volume grows."""

    def called(found: "re.Match[str]") -> str:
        name = names.get(int(found[1]), "")
        return f"window {found[1]} ({name})" if name else found[0]

    return _WINDOW.sub(called, text)


def storm_beside(detail: IncidentDetail) -> int | None:
    """Return the incident of the storm during which this one was told by itself. None: of none."""
    found = (_BESIDE.search(member.reason) for member in detail.members)
    return next((int(match[1]) for match in found if match), None)


def reason_of(detail: IncidentDetail) -> Alert | None:
    """Return the alert that best says why people were told: the worst one, then the first."""
    return min(
        (member.alert for member in detail.members),
        key=lambda alert: (SEVERITIES.index(alert.severity), alert.starts_at, alert.name),
        default=None,
    )


def with_gaps(
    timeline: Sequence[Entry],
) -> list[tuple[timedelta | None, Entry]]:
    """Return the entries, each with the silence before it when that is worth telling."""
    result: list[tuple[timedelta | None, Entry]] = []
    before = None
    for entry in timeline:
        gap = entry.at - before if before else timedelta()
        result.append((gap if gap >= GAP else None, entry))
        before = entry.at
    return result


def who_was_told(deliveries: Sequence[Delivery]) -> list[Told]:
    """Return one line for each message, and one for all updates of a channel's message.

    Seconds count from the alert's start for what wakes people up, and from the moment there was
    something to say for the rest.
    """
    lines: list[Told] = []
    place: dict[str, int] = {}
    for delivery in deliveries:
        after_s = delivery.latency_s
        if delivery.kind not in _NEWS and delivery.delivered_at is not None:
            after_s = (delivery.delivered_at - delivery.created_at).total_seconds()
        told = Told(delivery, WORDS[delivery.kind], after_s)
        if delivery.kind != "update":
            lines.append(told)
        elif delivery.channel not in place:
            place[delivery.channel] = len(lines)
            lines.append(told)
        else:
            at = place[delivery.channel]
            lines[at] = Told(delivery, told.what, after_s, lines[at].times + 1)
    return lines
