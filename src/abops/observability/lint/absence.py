"""Alerts that fall silent with the thing they watch, and templates that name a label it lost."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from promql_parser import BinaryExpr, Call, Expr

from abops.observability.lint.flow import result_labels
from abops.observability.lint.model import Facts, Fault, Subject, exact_job
from abops.observability.promql import named, operator, parsed, selector, walk

_TEMPLATE: Final = re.compile(r"\$labels\.(\w+)")
_DOWN: Final = ("==", "<", "<=")
_ABSENT: Final = ("absent", "absent_over_time")


def lost_label(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield labels in annotations that the expression or the metric does not have."""
    labels = result_labels(tree, facts.labels)
    if labels is None or subject.kind != "alert":
        return
    known = labels | subject.labels.keys() | {"alertname"}
    for name, text in subject.texts.items():
        for label in dict.fromkeys(_TEMPLATE.findall(text)):
            if label not in known:
                yield Fault(
                    "label-lost",
                    f"{name} names {label}, which the expression does not keep",
                    f"Keep it (`by`), or name one of: {', '.join(sorted(known))}.",
                )


def missing_partners(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, Fault]]:
    """Yield alerts on `up == 0` while no alert notices that `up` itself is gone."""
    trees = [(one, parsed(one.expr)) for one in subjects if one.kind == "alert"]
    watched = [
        (named(own), exact_job(own))
        for _subject, tree in trees
        for node in walk(tree)
        if isinstance(node, Call) and node.func.name in _ABSENT
        for below in walk(node)
        if (own := selector(below)) is not None
    ]
    watched += [
        (named(own), exact_job(own))
        for _subject, tree in trees
        for node in walk(tree)
        if isinstance(node, BinaryExpr) and operator(node) == "unless"
        for below in walk(node.rhs)
        if (own := selector(below)) is not None
    ]
    for subject, tree in trees:
        for node in walk(tree):
            if not isinstance(node, BinaryExpr) or operator(node) not in _DOWN:
                continue
            for below in walk(node.lhs):
                own = selector(below)
                if own is None or named(own) != "up":
                    continue
                job = exact_job(own)
                if not any(n == "up" and (job is None or j in (job, None)) for n, j in watched):
                    yield (
                        subject,
                        Fault(
                            "absence-unwatched",
                            f"up of {job or 'every job'} is gone with its target, and nobody asks",
                            "Add `or absent(up{...})`, or an alert with absent_over_time.",
                        ),
                    )
