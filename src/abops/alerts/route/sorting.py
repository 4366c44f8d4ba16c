"""Of which sorts an alert is, by the matchers of the rules of grouping.

Most sorts name a label's value. They are found by the labels an alert has, so that five hundred
rules cost an alert no more than its labels and those sorts that name none.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from abops.alerts.correlate.rules import Rule, Side
from abops.alerts.model import GroupingRule
from abops.alerts.route.matcher import matches, parse_matchers
from abops.inventory.matchers import Matcher

_Sort = tuple[Side, tuple[Matcher, ...]]


class Sorting:
    """The sorts that rules name."""

    def __init__(self, rules: Sequence[GroupingRule]) -> None:
        self._named: dict[tuple[str, str], list[_Sort]] = defaultdict(list)
        """By label and value, both of which an alert of the sort has."""
        self._others: list[_Sort] = []
        for index, rule in enumerate(rules):
            for side, text in enumerate((rule.one, rule.other)):
                sort = ((index, side), parse_matchers(text))
                named = (m for m in sort[1] if m.operator == "=" and m.value)
                key = next(((m.label, m.value) for m in named), None)
                (self._others if key is None else self._named[key]).append(sort)

    def sides(self, labels: Mapping[str, str]) -> tuple[Side, ...]:
        """Return the sorts of an alert with these labels, in the order of the rules."""
        asked = list(self._others)
        for pair in labels.items():
            asked += self._named.get(pair, ())
        return tuple(sorted(side for side, matchers in asked if matches(matchers, labels)))


def rules_of(rules: Sequence[GroupingRule]) -> tuple[Rule, ...]:
    """Return what the rules say, without the sorts they say it of."""
    return tuple(Rule(rule.name, rule.together, rule.within_s) for rule in rules)
