"""What is kept and what goes, with the reason in words.

A full set and the increments on it are one thing: a chain. A chain goes when the days of
retention are covered without it, that is, when a *verified* full set which is at least that old
is newer. Age alone removes nothing: without a verified set nothing goes at all, and the newest
verified chain never does. What somebody holds, by name, by a lock or by restoring from it, stays.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from abops.backup.model import Keeping, SetFacts
from abops.kernel.clock import moment


class Fate(Struct, frozen=True):
    """One set: whether it stays, and why."""

    label: str
    type: str
    keep: bool
    reason: str


class Plan(Struct, frozen=True):
    """What becomes of each set of one repository, old to new."""

    fates: tuple[Fate, ...]
    oldest_needed: float | None
    """When the oldest chain that covers the days of retention was begun."""

    @property
    def kept(self) -> tuple[str, ...]:
        """Labels of what stays."""
        return tuple(fate.label for fate in self.fates if fate.keep)

    @property
    def expired(self) -> tuple[str, ...]:
        """Labels of what goes."""
        return tuple(fate.label for fate in self.fates if not fate.keep)


class Chain(Struct, frozen=True):
    """A full set and everything that builds on it, old to new."""

    full: SetFacts
    rest: tuple[SetFacts, ...]

    @property
    def members(self) -> tuple[SetFacts, ...]:
        """All sets of it."""
        return (self.full, *self.rest)


def chains_of(sets: Sequence[SetFacts]) -> tuple[Chain, ...]:
    """Return the chains among the sets, old to new. A label begins with that of its full set."""
    found: dict[str, list[SetFacts]] = defaultdict(list)
    for one in sorted(sets, key=lambda item: (item.started, item.label)):
        found[full_of(one.label)].append(one)
    whole = [
        Chain(members[0], tuple(members[1:]))
        for members in found.values()
        if members[0].type == "full"
    ]
    return tuple(sorted(whole, key=lambda chain: (chain.full.stopped, chain.full.label)))


def full_of(label: str) -> str:
    """Return the label of the full set that this one stands on, its own for a full set."""
    return label.partition("_")[0]


def plan(
    sets: Sequence[SetFacts],
    verified: Collection[str],
    held: Mapping[str, str],
    policy: Keeping,
    now: datetime,
) -> Plan:
    """Decide for the sets of one repository.

    `verified` are the labels whose last check found them whole; `held` says for a label why it
    must stay.
    """
    chains = chains_of(sets)
    whole = [chain for chain in chains if chain.full.label in verified]
    if not whole:
        reason = "no full set here is verified: nothing goes before one is"
        return Plan(_all(sets, reason), None)
    horizon = now - timedelta(days=policy.days)
    first = _covering(whole, horizon) or chains[0]
    reasons = _reasons(chains, whole, first, horizon, policy)
    fates = []
    for chain in chains:
        because = _held(chain, held) or reasons.get(chain.full.label)
        gone = f"{_day(first.full)} covers the {policy.days} days, and is verified"
        fates += [
            Fate(one.label, one.type, because is not None, because or gone) for one in chain.members
        ]
    known = {fate.label for fate in fates}
    # What has lost its full set cannot be restored, and cannot be judged either.
    orphans = [one for one in sets if one.label not in known]
    fates += _all(orphans, "its full set is missing: look at it before it goes")
    return Plan(tuple(sorted(fates, key=lambda fate: fate.label)), first.full.started)


def _covering(whole: Sequence[Chain], horizon: datetime) -> Chain | None:
    """Return the newest verified chain from which the whole time of retention can be reached."""
    old = [chain for chain in whole if moment(chain.full.stopped) <= horizon]
    return old[-1] if old else None


def _reasons(
    chains: Sequence[Chain],
    whole: Sequence[Chain],
    first: Chain,
    horizon: datetime,
    policy: Keeping,
) -> dict[str, str]:
    """Return why a chain is kept, for each that the policy keeps."""
    reasons: dict[str, str] = {}
    for why, count, period in (
        ("yearly", policy.yearly, "%Y"),
        ("monthly", policy.monthly, "%Y-%m"),
    ):
        for name, label in _firsts(whole, count, period).items():
            reasons[label] = f"{why}: the first verified full set of {name}"
    newest = whole[-1].full.label
    for chain in chains:
        label = chain.full.label
        if chain.full.stopped < first.full.stopped:
            continue
        if label == newest:
            reasons[label] = "the newest verified full set"
        elif label == first.full.label and moment(chain.full.stopped) <= horizon:
            reasons[label] = f"all points of the last {policy.days} days are reached from it"
        else:
            reasons[label] = f"within {policy.days} days"
    return reasons


def _firsts(whole: Sequence[Chain], count: int, period: str) -> dict[str, str]:
    """Return the first verified full set of each of the newest `count` months or years."""
    found: dict[str, str] = {}
    for chain in whole:
        found.setdefault(f"{moment(chain.full.started).astimezone(UTC):{period}}", chain.full.label)
    return dict(sorted(found.items())[-count:]) if count else {}


def _held(chain: Chain, held: Mapping[str, str]) -> str | None:
    """Return why somebody needs a set of the chain; the whole chain stays for it."""
    for one in chain.members:
        if one.label in held:
            return f"held: {held[one.label]}"
        if one.keep:
            return f"kept as {one.keep!r}"
    return None


def _all(sets: Sequence[SetFacts], reason: str) -> tuple[Fate, ...]:
    ordered = sorted(sets, key=lambda one: one.label)
    return tuple(Fate(one.label, one.type, keep=True, reason=reason) for one in ordered)


def _day(one: SetFacts) -> str:
    return f"{one.label} of {moment(one.started):%Y-%m-%d}"
