"""What people know of which alerts belong together; it goes before what was learned.

A rule names two sorts of alerts. `together`: an alert of one sort joins the group in which the
other was seen lately. Apart: the two are never in one group, and no third alert ties their
groups together. The first rule that speaks of an alert and a group decides.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from abops.alerts.correlate.join import REASONS, Match, Term

Side: TypeAlias = tuple[int, int]
"""A rule's position, and which of its two sorts: 0 or 1."""


class Rule(Struct, frozen=True):
    """What is said of two sorts of alerts."""

    name: str
    together: bool
    within_s: float = 3_600


class Rules:
    """Knows of which sorts the alerts of the open groups are.

    `judge` decides, `record` notes where an alert went, `merge` and `close` what became of a
    group. Only sorts that rules name are kept, however many alerts there are.
    """

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._seen: dict[tuple[str, Side], dict[int, float]] = {}
        """By environment and sort: the groups that have it, and when they last got one."""

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._rules)

    def judge(self, env: str, sides: Sequence[Side], at: float, match: Match) -> Match:
        """Return where an alert belongs when the rules have had their say about a match."""
        if not self._rules:
            return match
        said = self._said(env, sides, at)
        joined = sorted(
            (
                Term(group, 1.0, at - when, self._joins(index))
                for group, (index, when) in said
                if self._rules[index].together
            ),
            key=lambda term: (term.gap_s, term.group),
        )
        forbidden = {g: index for g, (index, _) in said if not self._rules[index].together}
        strongest = [term.group for term in (*joined, *match.terms)]
        chosen: list[int] = []
        apart: dict[int, str] = {}
        for group in dict.fromkeys((*strongest, *match.groups)):
            index = forbidden.get(group)
            if index is None:
                index = self._conflict(env, group, chosen)
            if index is None:
                chosen.append(group)
            else:
                apart[group] = self._rules[index].name
        terms = [term for term in (*joined, *match.terms) if term.group in chosen]
        best = {term.group: term for term in reversed(terms)}
        kept = tuple(term for term in terms if best[term.group] is term)[:REASONS]
        return replace(
            match, groups=tuple(sorted(chosen)), terms=kept, apart=tuple(sorted(apart.items()))
        )

    def record(self, env: str, sides: Iterable[Side], at: float, group: int) -> None:
        """Note that an alert of these sorts is in this group."""
        for side in sides:
            self._seen.setdefault((env, side), {})[group] = at

    def merge(self, group: int, into: int) -> None:
        """Note that one group is now part of another."""
        for groups in self._seen.values():
            if group in groups:
                groups[into] = max(groups.pop(group), groups.get(into, 0.0))

    def close(self, group: int) -> None:
        """Forget a group: nothing joins it any more."""
        for groups in self._seen.values():
            groups.pop(group, None)
        self._seen = {key: groups for key, groups in self._seen.items() if groups}

    def clear(self) -> None:
        """Forget every group."""
        self._seen.clear()

    def _said(
        self, env: str, sides: Sequence[Side], at: float
    ) -> list[tuple[int, tuple[int, float]]]:
        """Return by group which rule speaks first of it, and when its other sort was seen."""
        first: dict[int, tuple[int, float]] = {}
        for index, side in sides:
            rule = self._rules[index]
            for group, when in self._seen.get((env, (index, 1 - side)), {}).items():
                if rule.together and at - when > rule.within_s:
                    continue
                if group not in first or index < first[group][0]:
                    first[group] = (index, when)
        return list(first.items())

    def _conflict(self, env: str, group: int, chosen: Sequence[int]) -> int | None:
        """Return the rule by which a group may not be one with those that were chosen."""
        if not chosen:
            return None
        for index, rule in enumerate(self._rules):
            if rule.together:
                continue
            for side in (0, 1):
                own = self._seen.get((env, (index, side)), {})
                others = self._seen.get((env, (index, 1 - side)), {})
                if group in own and any(other in others for other in chosen):
                    return index
        return None

    def _joins(self, index: int) -> str:
        return f"rule {self._rules[index].name!r} joins them"
