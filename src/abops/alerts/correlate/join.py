"""Joining an alert to the open groups it belongs to, with the reasons.

For each candidate the evidence is the strongest of: the same kind, kinds that come together,
places that are near, words in common. The more evidence, the longer ago the candidate may be:
`dt <= gap * clamp((e - tau) / (1 - tau), 0, 1)`. Whoever matches two groups merges them; the
older one stays. Candidates come from indices alone: recent kinds, and services within two hops.
What people merged or split by hand moves the evidence between these kinds from then on.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

from msgspec import Struct, convert, to_builtins

from abops.alerts.correlate.affinity import Affinity
from abops.alerts.correlate.kinds import likeness, words_of
from abops.alerts.correlate.topology import Place, Topology

WORDS: Final = 0.6
"""What all words in common count for: texts of unlike faults share many."""
TAUGHT: Final = 0.2
TAUGHT_AT_MOST: Final = 0.6
RECENT_KINDS: Final = 64
KINDS_A_SERVICE: Final = 8
"""Newest kinds of a service that are compared: the newest of a group reaches furthest."""
REASONS: Final = 3


class Setting(Struct, frozen=True):
    """How far apart alerts of one incident may lie."""

    gap_s: float = 300.0
    """Seconds that full evidence bridges."""
    tau: float = 0.2
    """Evidence below which two alerts never belong together."""
    rare_s: float = 0.0
    """Seconds between two alerts of a kind from which on it reaches the whole gap.

    One that comes four times as often reaches half of it. 0: all kinds reach the same.
    """

    def reach_s(self, evidence: float) -> float:
        """Return the seconds that this much evidence bridges."""
        share = (evidence - self.tau) / (1.0 - self.tau)
        return round(self.gap_s * min(max(share, 0.0), 1.0), 6)


class Sighting(Struct, frozen=True):
    """An alert as it begins to fire."""

    kind: str
    place: Place
    at: float


class Term(Struct, frozen=True):
    """What speaks for joining one group."""

    group: int
    evidence: float
    gap_s: float
    why: str

    @property
    def words(self) -> str:
        """Say it to people."""
        return f"{self.why}, {self.gap_s:.0f} s before"


class Match(Struct, frozen=True):
    """The groups an alert belongs to: the oldest takes it, the others are merged into it."""

    groups: tuple[int, ...] = ()
    terms: tuple[Term, ...] = ()
    """The strongest reason for each group, strongest first."""
    apart: tuple[tuple[int, str], ...] = ()
    """Groups that it would have joined, and the rule that keeps it out of each."""

    @property
    def reason(self) -> str:
        """Say in one line why it joins; for a new group, that nothing is near."""
        return next(iter(self.words), "nothing that it belongs to is open")

    @property
    def words(self) -> tuple[str, ...]:
        """Say all that counted to people: what speaks for joining, and what rules forbid."""
        kept = (f"rule {name!r} keeps it apart from INC-{group}" for group, name in self.apart)
        return (*(term.words for term in self.terms), *kept)


class JoinState(Struct):
    """All that a restart must not lose; the open groups are read from the store."""

    affinity: dict[str, Any] = {}
    taught: list[tuple[str, str, float]] = []


class _Last(Struct):
    """The newest alert of a kind at a place, and its group."""

    group: int
    at: float
    place: Place
    words: frozenset[str]


class Correlator:
    """Knows the recent alerts of the open groups.

    `match` decides, `record` notes where an alert went, `merge` and `close` what became of a
    group. Numbers of groups grow with their age: the lowest is the oldest. Times are seconds, in
    the order of receipt. One alert costs as many comparisons as there are recent kinds and near
    services, however many alerts are open.
    """

    def __init__(self, topology: Topology | None = None, setting: Setting | None = None) -> None:
        self.setting = setting or Setting()
        self.topology = topology or Topology()
        self.affinity = Affinity()
        self._taught: dict[tuple[str, str], float] = {}
        self._kinds: OrderedDict[tuple[str, str], _Last] = OrderedDict()
        self._services: dict[tuple[str, str], OrderedDict[str, _Last]] = {}

    def match(self, sighting: Sighting) -> Match:
        """Return the groups the alert belongs to, without taking it in."""
        best: dict[int, Term] = {}
        words = words_of(sighting.kind)
        for kind, last in self._candidates(sighting):
            if last.group in best and best[last.group].evidence >= 1.0:
                continue  # nothing could speak more for this group
            gap_s = max(sighting.at - last.at, 0.0)
            if gap_s > self.setting.gap_s:
                continue
            evidence, why = self._evidence(sighting, words, kind, last)
            if evidence <= self.setting.tau or gap_s > self._reach_s(evidence, sighting, kind):
                continue
            term = Term(last.group, round(evidence, 3), gap_s, why)
            known = best.get(last.group)
            if known is None or (term.evidence, -term.gap_s) > (known.evidence, -known.gap_s):
                best[last.group] = term
        terms = sorted(best.values(), key=lambda term: (-term.evidence, term.gap_s, term.group))
        return Match(tuple(sorted(best)), tuple(terms[:REASONS]))

    def record(self, sighting: Sighting, group: int) -> None:
        """Note that the alert is in this group, and learn what comes together."""
        self.learn(sighting)
        self.note(sighting, group)

    def learn(self, sighting: Sighting) -> None:
        """Learn what comes together."""
        self.affinity.observe(sighting.kind, sighting.at)

    def note(self, sighting: Sighting, group: int) -> None:
        """Note where an alert is that has been learned from before."""
        place, kind = sighting.place, sighting.kind
        last = _Last(group, sighting.at, place, words_of(kind))
        self._kinds[place.env, kind] = last
        self._kinds.move_to_end((place.env, kind))
        at_service = self._services.setdefault((place.env, place.service), OrderedDict())
        at_service[kind] = last
        at_service.move_to_end(kind)
        self._drop_old(sighting.at, at_service)

    def merge(self, group: int, into: int) -> None:
        """Note that one group is now part of another."""
        for last in self._all():
            if last.group == group:
                last.group = into

    def close(self, group: int) -> None:
        """Forget a group: nothing joins it any more."""
        for key in [key for key, last in self._kinds.items() if last.group == group]:
            del self._kinds[key]
        for scope, kinds in list(self._services.items()):
            for kind in [kind for kind, last in kinds.items() if last.group == group]:
                del kinds[kind]
            if not kinds:
                del self._services[scope]

    def teach(self, a: Iterable[str], b: Iterable[str], *, together: bool) -> None:
        """Learn from people: these kinds belong together (they merged), or not (they split)."""
        change = TAUGHT if together else -TAUGHT
        for one in set(a):
            for other in set(b):
                pair = (one, other) if one < other else (other, one)
                taught = self._taught.get(pair, 0.0) + change
                self._taught[pair] = min(max(taught, -TAUGHT_AT_MOST), TAUGHT_AT_MOST)

    def state(self) -> dict[str, Any]:
        """Return what was learned, as JSON can hold it."""
        taught = [(a, b, value) for (a, b), value in self._taught.items()]
        built: dict[str, Any] = to_builtins(JoinState(self.affinity.state(), taught))
        return built

    @classmethod
    def restore(
        cls,
        state: Mapping[str, Any],
        topology: Topology | None = None,
        setting: Setting | None = None,
    ) -> Self:
        """Return one that has learned what the other had; open groups are noted afresh."""
        known = convert(state, JoinState)
        correlator = cls(topology, setting)
        correlator.affinity = Affinity.restore(known.affinity)
        correlator._taught = {(a, b): value for a, b, value in known.taught}
        return correlator

    def _reach_s(self, evidence: float, sighting: Sighting, kind: str) -> float:
        """Return the seconds that the evidence bridges; the more common kind of both decides."""
        whole, rare_s = self.setting.reach_s(evidence), self.setting.rare_s
        if rare_s <= 0.0:
            return whole
        common = (self.affinity.rarity(one, rare_s) for one in (sighting.kind, kind))
        return whole * min(common)

    def _candidates(self, sighting: Sighting) -> Iterable[tuple[str, _Last]]:
        env, service = sighting.place.env, sighting.place.service
        if (same := self._kinds.get((env, sighting.kind))) is not None:
            yield sighting.kind, same
        for (of_env, kind), last in reversed(self._kinds.items()):
            if sighting.at - last.at > self.setting.gap_s:
                break
            if of_env == env:
                yield kind, last
        for near in (service, *self.topology.around(service)):
            yield from self._services.get((env, near), {}).items()

    def _evidence(
        self, sighting: Sighting, words: frozenset[str], kind: str, last: _Last
    ) -> tuple[float, str]:
        if kind == sighting.kind:
            found = (1.0, f"same kind {kind.partition(':')[0]}")
        else:
            near = self.topology.between(last.place, sighting.place)
            together = self.affinity.between(kind, sighting.kind)
            alike = (
                WORDS * likeness(words, last.words) if _unlike_rules(kind, sighting.kind) else 0.0
            )
            found = max(
                (near.value, near.why),
                (together, f"{kind.partition(':')[0]} often comes with it"),
                (alike, f"says nearly the same as {kind.partition(':')[0]}"),
            )
        pair = (kind, sighting.kind) if kind < sighting.kind else (sighting.kind, kind)
        taught = self._taught.get(pair, 0.0)
        if taught > 0:
            return min(
                found[0] + taught, 1.0
            ), f"{found[1] or 'no other reason'}; people merged such"
        return found[0] + taught, found[1]

    def _drop_old(self, now: float, at_service: OrderedDict[str, _Last]) -> None:
        for kinds, most in ((self._kinds, RECENT_KINDS), (at_service, KINDS_A_SERVICE)):
            while kinds and (
                len(kinds) > most or now - next(iter(kinds.values())).at > self.setting.gap_s
            ):
                kinds.popitem(last=False)

    def _all(self) -> Iterable[_Last]:
        yield from self._kinds.values()
        for kinds in self._services.values():
            yield from kinds.values()


def _unlike_rules(a: str, b: str) -> bool:
    """Say whether two kinds come from two rules.

    One rule says the same of whatever it watches, so its words tell nothing.
    """
    return a.partition(":")[0] != b.partition(":")[0]
