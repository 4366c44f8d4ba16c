"""Who is told what while a storm lasts.

The first alert of a storm is told at once; after it a channel gets one digest a minute instead of
hundreds of messages. A digest names at most ten alerts: from each cluster of entities the rarest
kind, because what is rare says more about the cause than what floods. A critical kind that was
not seen for a week is not what the storm is made of and still pages alone. Every alert is counted
in exactly one message of each channel: nothing is dropped.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from abops.alerts.model import ChannelType, Severity

DIGEST_EVERY_S: Final = 60
"""Seconds between two digests on one channel: Telegram takes 20 messages a minute per group."""
REPRESENTATIVES: Final = 10
"""Alerts named in a digest: as many as a person reads."""
UNSEEN_S: Final = 7 * 86_400
"""Silence after which a critical kind pages alone even in a storm."""
PAGES: Final = 3
"""Pages of one storm, whoever gets them. Further kinds come by digest."""
ALONE_PAGES: Final = PAGES - 1
"""Pages alone in a storm that was told to one pager; each other that was told takes one."""

Message = Literal["first", "alone", "digest", "over"]


class StormAlert(Struct, frozen=True):
    """What the telling needs to know of an alert."""

    fingerprint: str
    kind: str
    entity: str
    """What it is about: a service, a host, a pod."""
    cluster: str
    """The group of entities it belongs to: its owner or node, else the entity itself."""
    severity: Severity
    at: float


class Representative(Struct, frozen=True):
    """One alert that stands for others."""

    alert: StormAlert
    stands_for: int
    """Alerts of its cluster, itself included."""
    reason: str


class Told(Struct, frozen=True):
    """What one channel was told of one storm: JSON as it stands."""

    at: float = 0.0
    """When the last message was."""
    alerts: int = 0
    """Alerts of the storm that its messages have counted."""
    messages: int = 0


class Say(Struct, frozen=True):
    """A message that is due."""

    channel: str
    what: Message
    alerts: int
    """Alerts this message counts: those since the last."""
    told: Told
    """What the channel was told once it is sent."""
    reason: str


class Digest(Struct):
    """One storm as it is told: what came, who knows. It changes with every alert."""

    began_at: float
    total: int = 0
    by_kind: dict[str, int] = {}
    by_cluster: dict[str, int] = {}
    samples: dict[str, StormAlert] = {}
    """The first alert of each kind and cluster, joined by a line break."""
    alone: list[str] = []
    """Kinds that have paged alone."""
    digested: int = 0
    """Alerts told by digest only."""

    def observe(
        self, alert: StormAlert, last_seen: float | None, *, alone_at_most: int = ALONE_PAGES
    ) -> bool:
        """Count an alert. Say whether it pages alone.

        `last_seen`: when its kind was seen before this storm; None: never.
        """
        known = alert.kind in self.by_kind
        self.total += 1
        self.by_kind[alert.kind] = self.by_kind.get(alert.kind, 0) + 1
        self.by_cluster[alert.cluster] = self.by_cluster.get(alert.cluster, 0) + 1
        self.samples.setdefault(f"{alert.cluster}\n{alert.kind}", alert)
        pages = not known and len(self.alone) < alone_at_most and is_unheard_of(alert, last_seen)
        if pages:
            self.alone.append(alert.kind)
        else:
            self.digested += 1
        return pages

    def take_in(self, shown: StormAlert, count: int) -> None:
        """Count alerts of one kind and cluster that are part of it already; show one of them."""
        self.total += count
        self.digested += count
        self.by_kind[shown.kind] = self.by_kind.get(shown.kind, 0) + count
        self.by_cluster[shown.cluster] = self.by_cluster.get(shown.cluster, 0) + count
        self.samples.setdefault(f"{shown.cluster}\n{shown.kind}", shown)

    def representatives(self, common: Mapping[str, float]) -> tuple[Representative, ...]:
        """Return the alerts that stand for the storm. `common`: how often a kind came before."""
        return representatives(self.samples.values(), self.by_kind, self.by_cluster, common)

    def state(self) -> dict[str, Any]:
        """Return all of it, as JSON can hold it."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Return a digest that goes on where the other stopped."""
        return msgspec.convert(state, cls)


def is_unheard_of(alert: StormAlert, last_seen: float | None) -> bool:
    """Say whether an alert is critical and of a kind not seen for a week."""
    return alert.severity == "critical" and (last_seen is None or alert.at - last_seen >= UNSEEN_S)


def representatives(
    samples: Iterable[StormAlert],
    by_kind: Mapping[str, int],
    by_cluster: Mapping[str, int],
    common: Mapping[str, float],
) -> tuple[Representative, ...]:
    """Return the rarest kind of each cluster, the largest clusters first, ten at most."""
    best: dict[str, StormAlert] = {}
    for alert in samples:
        held = best.get(alert.cluster)
        if held is None or _rarity(alert, by_kind, common) < _rarity(held, by_kind, common):
            best[alert.cluster] = alert
    ordered = sorted(
        best.values(),
        key=lambda a: (a.severity != "critical", -by_cluster.get(a.cluster, 0), a.cluster),
    )
    return tuple(
        Representative(
            alert=alert,
            stands_for=by_cluster.get(alert.cluster, 1),
            reason=f"rarest kind of {by_cluster.get(alert.cluster, 1)} alerts around"
            f" {alert.cluster}: {by_kind.get(alert.kind, 1)} in this storm,"
            f" {common.get(alert.kind, 0):.0f} before it",
        )
        for alert in ordered[:REPRESENTATIVES]
    )


def due(
    channels: Sequence[tuple[str, ChannelType]],
    told: Mapping[str, Told],
    total: int,
    now: float,
    *,
    over: bool = False,
) -> tuple[Say, ...]:
    """Return what each channel is to be told now, given what it was told.

    A pager rings for the first message and for kinds of their own (`alone`); digests would only
    ring again for what is known, so a pager gets none. When the storm is over everybody is told
    so, with the alerts not counted yet; to a pager this is its resolve.
    """
    found = []
    for name, type_ in channels:
        before = told.get(name, Told())
        new = total - before.alerts
        what: Message
        if over:
            what, reason = "over", f"the storm is over: {total} alerts in all, {new} since the last"
        elif not before.messages:
            what, reason = "first", f"a storm began: {new} alerts so far"
        elif type_ == "pagerduty" or not new or now - before.at < DIGEST_EVERY_S:
            continue
        else:
            what, reason = "digest", f"{new} alerts in {now - before.at:.0f} s, {total} in all"
        after = Told(now, total, before.messages + 1)
        found.append(Say(name, what, new, after, reason))
    return tuple(found)


def alone(channel: str, told: Told, alert: StormAlert) -> Say:
    """Return the page of a kind that is told by itself; the storm's digest still counts it."""
    after = replace(told, messages=told.messages + 1) if told.messages else told
    reason = f"{alert.kind}: critical, and not seen for a week before this storm"
    return Say(channel, "alone", 0, after, reason)


def due_at(told: Mapping[str, Told], now: float) -> float:
    """Return when to ask again: when the next digest could be due."""
    return min((t.at + DIGEST_EVERY_S for t in told.values()), default=now)


def _rarity(
    alert: StormAlert, by_kind: Mapping[str, int], common: Mapping[str, float]
) -> tuple[float, bool, float]:
    """Order kinds: how often in all, then critical first, then the earliest."""
    often = common.get(alert.kind, 0.0) + by_kind.get(alert.kind, 0)
    return often, alert.severity != "critical", alert.at
