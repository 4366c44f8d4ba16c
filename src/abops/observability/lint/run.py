"""The lint over rules and boards: every check, every expression, one list of findings."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from promql_parser import BinaryExpr, Call, Expr, NumberLiteral

from abops.kernel.quantities import parse_duration
from abops.observability.lint.absence import lost_label, missing_partners
from abops.observability.lint.flow import Labels, result_labels
from abops.observability.lint.limits import (
    absolute_limit,
    info_is_zero,
    raw_counter,
    unguarded_ratio,
)
from abops.observability.lint.model import Facts, Fault, Finding, Subject
from abops.observability.lint.names import unknown_names
from abops.observability.lint.ranges import (
    rate_after_sum,
    raw_buckets,
    short_prediction,
    short_rate,
    waited_twice,
    wrong_kind,
)
from abops.observability.promql import PromqlError, operator, parsed, unwrapped

Check = Callable[[Subject, Expr, Facts], Iterator[Fault]]
CHECKS: Final[tuple[Check, ...]] = (
    unknown_names,
    lost_label,
    unguarded_ratio,
    raw_counter,
    info_is_zero,
    absolute_limit,
    wrong_kind,
    short_rate,
    short_prediction,
    waited_twice,
    raw_buckets,
    rate_after_sum,
)
_VECTOR: Final = re.compile(r"vector\(([0-9.e+-]+)\)")
OF_PROMETHEUS: Final[Mapping[str, Labels]] = {"ALERTS": None, "ALERTS_FOR_STATE": None}
"""Series that Prometheus writes about its own rules: their labels are those of all rules."""


def rule_subjects(file: str, rules: Mapping[str, Any]) -> tuple[Subject, ...]:
    """Return the expressions of a rule file."""
    return tuple(
        Subject(
            file=file,
            name=rule.get("alert") or rule["record"],
            kind="alert" if "alert" in rule else "recording",
            expr=rule["expr"],
            hold=parse_duration(rule.get("for", "0")),
            texts=rule.get("annotations", {}),
            labels=rule.get("labels", {}),
        )
        for group in rules["groups"]
        for rule in group["rules"]
    )


def recorded_labels(subjects: Iterable[Subject], facts: Facts) -> dict[str, Labels]:
    """Return the labels of every recorded series, each after those that it reads."""
    found: dict[str, Labels] = dict(OF_PROMETHEUS)
    recorded = [subject for subject in subjects if subject.kind == "recording"]
    for subject in recorded:
        found.setdefault(subject.name, frozenset())
    for _round in range(4):  # series read series: four deep is more than there is
        before = dict(found)
        fresh: dict[str, Labels] = {}
        known = Facts(facts.contracts, found, facts.intervals)
        for subject in recorded:
            own = result_labels(parsed(subject.expr), known.labels)
            seen = fresh.get(subject.name, frozenset())
            fresh[subject.name] = (
                None if own is None or seen is None else seen | own | subject.labels.keys()
            )
        found = dict(OF_PROMETHEUS) | fresh
        if found == before:
            break
    return found


def constants(subjects: Iterable[Subject]) -> frozenset[str]:
    """Return the recorded series whose every rule says one number other than zero."""
    values: dict[str, bool] = {}
    for subject in subjects:
        if subject.kind == "recording":
            fixed = _is_constant(parsed(subject.expr))
            values[subject.name] = values.get(subject.name, True) and fixed
    return frozenset(name for name, fixed in values.items() if fixed)


def _is_constant(tree: Expr) -> bool:
    """Return whether an expression is `vector(2)` or `group(...) * 2`: one number, not zero."""
    bare = unwrapped(tree)
    if isinstance(bare, Call) and bare.func.name == "vector":
        return _is_number(bare.args[0])
    return (
        isinstance(bare, BinaryExpr)
        and operator(bare) == "*"
        and operator(unwrapped(bare.lhs)) == "group"
        and _is_number(bare.rhs)
    )


def _is_number(node: Expr) -> bool:
    bare = unwrapped(node)
    return isinstance(bare, NumberLiteral) and bare.val != 0


def lint(subjects: Sequence[Subject], facts: Facts) -> tuple[Finding, ...]:
    """Return everything that the checks find, in the order of the files."""
    found: list[Finding] = []
    sound: list[Subject] = []
    for subject in subjects:
        try:
            tree = parsed(subject.expr)
        except PromqlError as error:
            found.append(_at(subject, Fault("not-promql", str(error), error.hint)))
            continue
        sound.append(subject)
        faults = dict.fromkeys(fault for check in CHECKS for fault in check(subject, tree, facts))
        found += [_at(subject, fault) for fault in faults]
    found += [_at(subject, fault) for subject, fault in _partners(sound)]
    return tuple(found)


def _partners(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, Fault]]:
    seen: set[tuple[str, Fault]] = set()
    for subject, fault in missing_partners(subjects):
        if (subject.name, fault) not in seen:
            seen.add((subject.name, fault))
            yield subject, fault


def _at(subject: Subject, fault: Fault) -> Finding:
    return Finding(subject.file, subject.name, fault.check, fault.reason, fault.step)
