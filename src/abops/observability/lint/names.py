"""Whether every metric and label of an expression exists, as the contracts know it."""

import difflib
from collections.abc import Iterable, Iterator

from promql_parser import AggregateExpr, BinaryExpr, Expr, LabelModifierType, VectorSelector

from abops.observability.contract import Contract
from abops.observability.lint.flow import Labels, is_scalar, result_labels
from abops.observability.lint.model import Facts, Fault, Subject, exact_job
from abops.observability.promql import named, operator, selector, walk

_ALWAYS = frozenset({"__name__", "job", "instance"})


def unknown_names(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield metrics that no contract has, and labels that a metric does not have."""
    del subject
    for node in walk(tree):
        chosen = selector(node)
        if chosen is not None:
            yield from _selected(chosen, facts)
        elif isinstance(node, AggregateExpr) and node.modifier is not None:
            inner = result_labels(node.expr, facts.labels)
            yield from _kept(node.modifier.labels, inner, operator(node))
        elif isinstance(node, BinaryExpr):
            yield from _matched(node, facts)


def _selected(chosen: VectorSelector, facts: Facts) -> Iterator[Fault]:
    name = named(chosen)
    if not name:
        return
    if name not in facts.recorded and not facts.behind(chosen):
        yield _unknown_metric(name, exact_job(chosen), facts)
        return
    for contract in facts.contracts:
        if _must_have(contract, chosen, facts) and name not in contract.metrics:
            step = "Read what all supported versions export, or both names with `or`."
            yield Fault("metric-unknown", f"{contract.filename} lacks {name}", step)
    labels = facts.labels(chosen)
    if labels is None:
        return
    for matcher in chosen.matchers.matchers:
        if matcher.name not in labels | _ALWAYS:
            yield _unknown_label(matcher.name, name, labels)


def _must_have(contract: Contract, chosen: VectorSelector, facts: Facts) -> bool:
    """Return whether a metric stands in another version of the same recorded exporter."""
    return contract.source == "recorded" and any(
        other.exporter == contract.exporter and other.job == contract.job
        for other in facts.behind(chosen)
    )


def _unknown_metric(name: str, job: str | None, facts: Facts) -> Fault:
    known = {n for c in facts.contracts if job in (None, c.job) for n in c.metrics}
    elsewhere = [c.filename for c in facts.contracts if name in c.metrics]
    place = f"the contract of job {job}" if job else "any contract or recorded series"
    if elsewhere and job:
        return Fault(
            "metric-unknown",
            f"{name} is not in {place}, but in {', '.join(elsewhere)}",
            "Name the job that exports it.",
        )
    near = _nearest(name, known | set(facts.recorded))
    return Fault(
        "metric-unknown",
        f"{name} is not in {place}{near}",
        "Use a name that is exported, or record the contract that has it.",
    )


def _unknown_label(label: str, of: str, labels: Iterable[str]) -> Fault:
    return Fault(
        "label-unknown",
        f"{of} has no label {label}{_nearest(label, labels)}",
        f"It has: {', '.join(sorted(labels))}.",
    )


def _kept(names: Iterable[str], inner: Labels, of: str) -> Iterator[Fault]:
    for name in names if inner is not None else ():
        if name not in (inner or ()) and name not in _ALWAYS:
            yield _unknown_label(name, f"what {of} reads", inner or ())


def _matched(node: BinaryExpr, facts: Facts) -> Iterator[Fault]:
    how = node.modifier
    if how is None or how.matching is None or how.matching.type != LabelModifierType.Include:
        return
    for side in (node.lhs, node.rhs):
        if not is_scalar(side):
            inner = result_labels(side, facts.labels)
            yield from _kept(how.matching.labels, inner, f"a side of `{operator(node)}`")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"; the nearest is {near[0]}" if near else ""
