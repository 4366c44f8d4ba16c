"""What is kept and what goes, with the reason in words.

A full set and the increments on it are one thing: a chain. A chain goes when the days of
retention are covered without it, that is, when a *verified* full set which is at least that old
is newer. Age alone removes nothing: without a verified set nothing goes at all, and the newest
verified chain never does. What somebody holds, by name, by a lock or by restoring from it, stays.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from abops.backup.model import Keeping, SetFacts
from abops.kernel.clock import moment

OVERDUE_AFTER: Final = timedelta(hours=26)
"""What may go is removed once a day, after the verification; later than this it is overdue."""


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
    covering: str = ""
    """Label of that chain's full set: from its start on no log goes."""

    @property
    def kept(self) -> tuple[str, ...]:
        """Labels of what stays."""
        return tuple(fate.label for fate in self.fates if fate.keep)

    @property
    def expired(self) -> tuple[str, ...]:
        """Labels of what goes."""
        return tuple(fate.label for fate in self.fates if not fate.keep)


class Removal(Struct, frozen=True):
    """How the engine is to carry a plan out."""

    by: Literal["nothing", "age", "set"]
    """By age it decides alike; by set it is told each chain, for it knows of nothing held."""
    chains: tuple[str, ...] = ()
    """Full sets whose chains go."""
    fulls_with_log: int = 0
    """From so many newest full sets on, of those that stay, no log goes."""


class Promise(Struct, frozen=True):
    """Whether the policy is kept."""

    oldest_recoverable: float | None
    """From this moment on each point can be returned to, seconds since 1970."""
    gone: tuple[str, ...] = ()
    """Sets that the policy keeps and that are not there any more."""
    overdue: tuple[str, ...] = ()
    """Sets that it lets go and that are there still."""

    @property
    def violations(self) -> int:
        """How many sets are not as the policy has it."""
        return len(self.gone) + len(self.overdue)


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
        because = reasons.get(chain.full.label) or _held(chain, held)
        gone = f"{_day(first.full)} covers the {policy.days} days, and is verified"
        fates += [
            Fate(one.label, one.type, because is not None, because or gone) for one in chain.members
        ]
    known = {fate.label for fate in fates}
    # What has lost its full set cannot be restored, and cannot be judged either.
    orphans = [one for one in sets if one.label not in known]
    fates += _all(orphans, "its full set is missing: look at it before it goes")
    ordered = tuple(sorted(fates, key=lambda fate: fate.label))
    return Plan(ordered, first.full.started, first.full.label)


def by_age(sets: Sequence[SetFacts], policy: Keeping, now: datetime) -> Plan:
    """Decide as the engine does, which knows days and nothing else."""
    plain = [replace(one, keep="") for one in sets]
    return plan(plain, {one.label for one in sets}, {}, Keeping(days=policy.days), now)


def removal(
    sets: Sequence[SetFacts], decided: Plan, held: Collection[str], policy: Keeping, now: datetime
) -> Removal:
    """Return how a plan is carried out. `held` need the log that follows them too."""
    if not decided.covering:
        return Removal("nothing")
    staying = [chain for chain in chains_of(sets) if chain.full.label in decided.kept]
    names = [chain.full.label for chain in staying]
    first = min(
        names.index(chain.full.label)
        for chain in staying
        if chain.full.label == decided.covering or any(one.label in held for one in chain.members)
    )
    if not first and decided.expired == by_age(sets, policy, now).expired:
        return Removal("age")
    gone = tuple(label for label in decided.expired if label == full_of(label))
    return Removal("set", gone, len(staying) - first)


def log_needed(
    sets: Sequence[SetFacts], decided: Plan, how: Removal
) -> tuple[tuple[str, str], ...]:
    """Return the segments that must stay: of each old set its own, then all."""
    kept = [chain for chain in chains_of(sets) if chain.full.label in decided.kept]
    full = decided.covering if how.by == "age" else kept[-how.fulls_with_log].full.label
    since = next(chain.full.wal_start for chain in kept if chain.full.label == full)
    own = [(one.wal_start, one.wal_stop) for chain in kept for one in chain.members]
    return (*own, (since, "F" * len(since)))


def endangered(
    going: Sequence[tuple[str, str]], needed: Sequence[tuple[str, str]]
) -> tuple[str, str] | None:
    """Return log that goes although something kept needs it; None when all of it may go."""
    return next(
        (run for run in going if any(run[0] <= last and first <= run[1] for first, last in needed)),
        None,
    )


def promise(  # noqa: PLR0913, PLR0917 - what is known of one repository
    sets: Sequence[SetFacts],
    lost: Sequence[SetFacts],
    verified: Collection[str],
    held: Mapping[str, str],
    policy: Keeping,
    now: datetime,
    hole: str = "",
) -> Promise:
    """Tell whether the policy is kept. `hole` is the last segment that is missing in the log."""
    since = plan(sets, verified, held, policy, now).oldest_needed
    reaching = [
        one.stopped
        for one in sets
        if one.label in verified
        and since is not None
        and one.started >= since
        and one.wal_start[8:] > hole[8:]
    ]
    all_sets = (*sets, *lost)
    every = {one.label for one in all_sets}
    wanted = plan(all_sets, every, held, policy, now).kept
    late = plan(sets, {one.label for one in sets}, held, policy, now - OVERDUE_AFTER).expired
    gone = tuple(one.label for one in lost if one.label in wanted)
    return Promise(min(reaching, default=None), gone, late)


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
