"""What the page of one incident tells: why it came, who was told, when it was silent."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct

from abops.alerts.model import (
    SEVERITIES,
    Alert,
    Delivery,
    DeliveryKind,
    IncidentDetail,
    TimelineEntry,
)

GAP: Final = timedelta(minutes=5)
"""A silence in a timeline from which on it is told."""
_NEWS: Final = frozenset({"open", "rise", "fallback"})
_WORDS: Final[dict[DeliveryKind, str]] = {
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
}


class Told(Struct, frozen=True):
    """One line of who was told."""

    delivery: Delivery
    what: str
    after_s: float | None
    times: int = 1


def reason_of(detail: IncidentDetail) -> Alert | None:
    """Return the alert that best says why people were told: the worst one, then the first."""
    return min(
        (member.alert for member in detail.members),
        key=lambda alert: (SEVERITIES.index(alert.severity), alert.starts_at, alert.name),
        default=None,
    )


def with_gaps(
    timeline: Sequence[TimelineEntry],
) -> list[tuple[timedelta | None, TimelineEntry]]:
    """Return the entries, each with the silence before it when that is worth telling."""
    result: list[tuple[timedelta | None, TimelineEntry]] = []
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
        told = Told(delivery, _WORDS[delivery.kind], after_s)
        if delivery.kind != "update":
            lines.append(told)
        elif delivery.channel not in place:
            place[delivery.channel] = len(lines)
            lines.append(told)
        else:
            at = place[delivery.channel]
            lines[at] = Told(delivery, told.what, after_s, lines[at].times + 1)
    return lines
