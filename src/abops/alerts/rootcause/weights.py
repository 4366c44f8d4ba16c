"""How much one alert tells of where the trouble is.

An alert that fired in every past incident tells nothing, one never seen before tells most: the
square of ln((N + 2) / (df + 1)), with N past incidents of which df had it. A kind that fires on
five parts at once speaks for each of them with a fifth of its weight. A slow or failed call is
seen by the thousand and counts .35.
"""

from collections import Counter
from collections.abc import Iterable
from math import exp, log

from msgspec import Struct

from abops.alerts.rootcause.model import AlertSeen, ChangeSeen, History

TRACE = 0.35
FIRST_BONUS = 0.5
"""What being first adds to a part's alerts; it fades for those that follow."""
FIRST_FADES_S = 60.0
CHANGE_COUNTS_S = 1800.0
"""Most bad changes show within half an hour; at its end a change counts half."""
CHANGED_ANYWAY = 0.1
"""Share of incidents that a change precedes by chance, as long as no higher one was counted."""
CHANGE_GRACE_S = 60.0
"""A deploy is often reported when it ends, and its first alert is then the earlier one."""


class Own(Struct, frozen=True):
    """What speaks for one part by itself."""

    weight: float
    """Weight of its alerts, with the bonus for being early."""
    kinds: tuple[str, ...]
    """Its kinds of alert, the most telling one first."""
    first_at: float | None
    family: str = ""
    """What its alerts are counted under in the history."""
    change: ChangeSeen | None = None
    """The latest change of it shortly before."""
    fresh: float = 0.0
    """1 for a change as it began, one half for one half an hour before, 0 without a change."""
    change_weight: float = 0.0


class Change(Struct, frozen=True):
    """A change shortly before."""

    change: ChangeSeen
    fresh: float
    weight: float


SILENT = Own(0.0, (), None)


def rarity(history: History, entity: str, kind: str) -> float:
    """Return the weight of a kind of alert on a part."""
    return log((history.incidents + 2) / (history.seen.get((entity, kind), 0) + 1)) ** 2


def rarest(history: History) -> float:
    """Return the weight of something never seen before."""
    return log(history.incidents + 2) ** 2


def own_evidence(alerts: Iterable[AlertSeen], history: History) -> dict[str, Own]:
    """Weigh the alerts of each part; every (part, kind) counts once."""
    seen: dict[tuple[str, str], float] = {}
    first: dict[str, float] = {}
    family: dict[str, str] = {}
    for alert in alerts:
        key = (alert.entity, alert.kind)
        seen[key] = max(seen.get(key, 0.0), TRACE if alert.trace else 1.0)
        family[alert.entity] = alert.key[0]
        if alert.at is not None:
            first[alert.entity] = min(first.get(alert.entity, alert.at), alert.at)
    spread = Counter(kind for _, kind in seen)
    parts: dict[str, list[tuple[float, str]]] = {}
    for (entity, kind), factor in seen.items():
        weight = factor * rarity(history, family[entity], kind) / spread[kind]
        parts.setdefault(entity, []).append((weight, kind))
    began = min(first.values(), default=0.0)
    return {
        entity: Own(
            sum(weight for weight, _ in kinds) * (1 + _early(first.get(entity), began)),
            tuple(kind for _, kind in sorted(kinds, reverse=True)),
            first.get(entity),
            family[entity],
        )
        for entity, kinds in parts.items()
    }


def recent_changes(
    changes: Iterable[ChangeSeen], history: History, began: float | None
) -> dict[str, Change]:
    """Return the latest change of each part shortly before `began`, with its weight.

    A part that is changed before most incidents anyway tells less by it.
    """
    if began is None:
        return {}
    found: dict[str, Change] = {}
    for change in sorted(changes, key=lambda change: change.at):
        before = began - change.at
        if -CHANGE_GRACE_S <= before <= CHANGE_COUNTS_S:
            fresh = 1 - max(0.0, before) / CHANGE_COUNTS_S / 2
            found[change.entity] = Change(change, fresh, fresh * _rarity_of(change, history))
    return found


def _rarity_of(change: ChangeSeen, history: History) -> float:
    by_chance = max(history.seen.get(change.key, 0), history.incidents * CHANGED_ANYWAY)
    return log((history.incidents + 2) / (by_chance + 1)) ** 2


def _early(first_at: float | None, began: float) -> float:
    return 0.0 if first_at is None else FIRST_BONUS * exp(-(first_at - began) / FIRST_FADES_S)
