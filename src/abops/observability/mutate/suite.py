"""Rules with their cases, and the files in which promtool judges many wrong rules at once.

A promtool test costs its samples and its steps far more than its rules. So the mutants of a rule
stand side by side in one file under names of their own, and each case is asked of all of them.
Where names matter - a rule that reads another rule's series, or ALERTS, which every firing mutant
would fill - each mutant gets a file of its own.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml
from msgspec import Struct

from abops.kernel.quantities import format_duration, parse_duration
from abops.observability.mutate.expression import changes

_TESTS, _RULES = ".test.yml", ".rules.yml"
AS_IT_IS: Final = "as it is"
_TOGETHER: Final = 24
"""Mutants in one file: past that, more files fill two cores better."""


class Suite(Struct, frozen=True):
    """A rule file and its test file, as promtool reads them."""

    name: str
    rules: dict[str, Any]
    tests: dict[str, Any]

    def is_about(self, names: Iterable[str]) -> bool:
        """Return whether the suite, or a rule in it, has one of these names."""
        return not {self.name, *map(_name, _rules(self))}.isdisjoint(names)


class Mutant(Struct, frozen=True):
    """One rule of a suite with one mistake."""

    suite: str
    place: int
    rule: str
    words: str
    changed: dict[str, Any]


class Batch(Struct, frozen=True):
    """Files for one call, and the mutants in them by the name under which promtool knows them."""

    name: str
    rules: str
    tests: str
    mutants: dict[str, Mutant]


def suites(files: Mapping[str, str]) -> tuple[Suite, ...]:
    """Return what the rendered test files hold."""
    found = []
    for name, text in files.items():
        if name.endswith(_TESTS):
            stem = name.removesuffix(_TESTS)
            rules = yaml.load(files[stem + _RULES], Loader=yaml.CSafeLoader)
            tests = yaml.load(text, Loader=yaml.CSafeLoader)
            found.append(Suite(stem, rules, tests))
    return tuple(found)


def mutants(suite: Suite) -> tuple[Mutant, ...]:
    """Return every mutant of every rule of a suite that a test asks about."""
    return tuple(
        Mutant(suite.name, place, _name(rule), words, changed)
        for place, rule in enumerate(_rules(suite))
        if _asked(rule, suite.tests)
        for words, changed in _mistakes(rule)
    )


def controls(suite: Suite) -> tuple[Mutant, ...]:
    """Return every rule that a test asks about as it is: no case may notice anything."""
    return tuple(
        Mutant(suite.name, place, _name(rule), AS_IT_IS, rule)
        for place, rule in enumerate(_rules(suite))
        if _asked(rule, suite.tests)
    )


def batches(suite: Suite, chosen: Iterable[Mutant]) -> tuple[Batch, ...]:
    """Return the files that judge these mutants of a suite."""
    made: list[Batch] = []
    by_place: dict[int, list[Mutant]] = {}
    for mutant in chosen:
        by_place.setdefault(mutant.place, []).append(mutant)
    for place, own in by_place.items():
        if _name_matters(place, suite):
            made += [_alone(suite, mutant, len(made) + at) for at, mutant in enumerate(own)]
        else:
            made += [
                _together(suite, own[at : at + _TOGETHER], len(made) + at)
                for at in range(0, len(own), _TOGETHER)
            ]
    return tuple(made)


def _rules(suite: Suite) -> list[dict[str, Any]]:
    return [rule for group in suite.rules["groups"] for rule in group["rules"]]


def _with(suite: Suite, place: int, instead: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rule file with other rules at one place."""
    groups, at = [], 0
    for group in suite.rules["groups"]:
        rules: list[dict[str, Any]] = []
        for rule in group["rules"]:
            rules += instead if at == place else [rule]
            at += 1
        groups.append({**group, "rules": rules})
    return {**suite.rules, "groups": groups}


def _name(rule: Mapping[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


def _asked(rule: Mapping[str, Any], tests: Mapping[str, Any]) -> bool:
    name = _name(rule)
    return any(_about(name, entry) for test in tests["tests"] for entry in _entries(test))


def _entries(test: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*test.get("alert_rule_test", ()), *test.get("promql_expr_test", ())]


def _about(name: str, entry: Mapping[str, Any]) -> bool:
    return entry.get("alertname") == name or bool(_word(name).search(entry.get("expr", "")))


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w:]){re.escape(name)}(?![\w:])")


def _mistakes(rule: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for change in changes(rule["expr"]):
        yield change.words, {**rule, "expr": change.expr}
    if hold := rule.get("for"):
        length = parse_duration(hold)
        twice = format_duration(length * 2)
        yield f"for {hold} -> {twice}", {**rule, "for": twice}
        yield f"for {hold} removed", {key: rule[key] for key in rule if key != "for"}


def _name_matters(place: int, suite: Suite) -> bool:
    rules = _rules(suite)
    others = [rule for at, rule in enumerate(rules) if at != place]
    name = _name(rules[place])
    read = any(_word(name).search(rule["expr"]) for rule in others)
    shared = any(_name(rule) == name for rule in others)
    return read or shared or any(_word("ALERTS").search(rule["expr"]) for rule in rules)


def _alone(suite: Suite, mutant: Mutant, at: int) -> Batch:
    rules = _with(suite, mutant.place, [mutant.changed])
    return _batch(suite, rules, suite.tests, {mutant.rule: mutant}, at)


def _together(suite: Suite, own: list[Mutant], at: int) -> Batch:
    rule, place = own[0].rule, own[0].place
    names = {f"{rule}_m{number}": mutant for number, mutant in enumerate(own)}
    tests = {**suite.tests, "tests": [_asking(test, rule, names) for test in suite.tests["tests"]]}
    return _batch(suite, _with(suite, place, _copies(names)), tests, names, at)


def _copies(names: Mapping[str, Mutant]) -> list[dict[str, Any]]:
    return [
        {**mutant.changed, "alert" if "alert" in mutant.changed else "record": name}
        for name, mutant in names.items()
    ]


def _asking(test: Mapping[str, Any], rule: str, names: Iterable[str]) -> dict[str, Any]:
    """Return a test that asks of every mutant what it asks of the rule."""
    asked = dict(test)
    for kind in ("alert_rule_test", "promql_expr_test"):
        own = [entry for entry in test.get(kind, ()) if _about(rule, entry)]
        asked[kind] = [_renamed(entry, rule, name) for entry in own for name in names]
    return asked


def _renamed(entry: Mapping[str, Any], rule: str, name: str) -> dict[str, Any]:
    if "alertname" in entry:
        return {**entry, "alertname": name}
    word = _word(rule)
    samples = [
        {**sample, "labels": word.sub(name, sample.get("labels", ""))}
        for sample in entry.get("exp_samples", ())
    ]
    return {**entry, "expr": word.sub(name, entry["expr"]), "exp_samples": samples}


def _batch(
    suite: Suite,
    rules: dict[str, Any],
    tests: dict[str, Any],
    names: dict[str, Mutant],
    at: int,
) -> Batch:
    """Return the files; JSON, which is YAML, is written ten times as fast."""
    stem = f"{suite.name}.{at}"
    tests = {**tests, "rule_files": [f"{stem}{_RULES}"]}
    return Batch(f"{stem}{_TESTS}", json.dumps(rules), json.dumps(tests), names)
