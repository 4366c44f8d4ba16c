"""Which labels an expression's result may have: those that a template can name, or `by` can keep.

`None` stands for "any": the metric is not known, or has shown no series yet.
"""

from collections.abc import Callable
from typing import Final

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    LabelModifierType,
    MatchOp,
    NumberLiteral,
    StringLiteral,
    VectorMatchCardinality,
    VectorSelector,
)

from abops.observability.promql import children, operator, selector, unwrapped

Labels = frozenset[str] | None
Known = Callable[[VectorSelector], Labels]
_CHOOSING: Final = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_SCALARS: Final = frozenset({"time", "scalar", "vector", "pi"})
_NONE: Final[frozenset[str]] = frozenset()


def result_labels(node: Expr, known: Known) -> Labels:
    """Return the labels that the result of an expression may have."""
    chosen = selector(node)
    if chosen is not None:
        return known(chosen)
    if isinstance(node, AggregateExpr):
        return _aggregated(node, result_labels(node.expr, known))
    if isinstance(node, Call):
        return _called(node, known)
    if isinstance(node, BinaryExpr):
        return _joined(node, result_labels(node.lhs, known), result_labels(node.rhs, known))
    below = children(node)
    return result_labels(below[-1], known) if below else _NONE


def is_scalar(node: Expr) -> bool:
    """Return whether an expression is one number without labels."""
    bare = unwrapped(node)
    if isinstance(bare, Call):
        return bare.func.name in ("time", "scalar", "pi")
    if isinstance(bare, BinaryExpr):
        return is_scalar(bare.lhs) and is_scalar(bare.rhs)
    below = children(bare)
    return isinstance(bare, NumberLiteral) or bool(below and all(map(is_scalar, below)))


def union(one: Labels, other: Labels) -> Labels:
    """Return the labels of either side."""
    return None if one is None or other is None else one | other


def _aggregated(node: AggregateExpr, inner: Labels) -> Labels:
    if operator(node) in _CHOOSING:
        return inner
    added = {node.param.val} if isinstance(node.param, StringLiteral) else set()
    if node.modifier is None:
        return frozenset(added)
    if node.modifier.type == AggModifierType.By:
        return frozenset(node.modifier.labels) | added
    return None if inner is None else (inner - frozenset(node.modifier.labels)) | added


def _called(node: Call, known: Known) -> Labels:
    name = node.func.name
    if name in ("absent", "absent_over_time"):
        chosen = selector(unwrapped(node.args[0]))
        matchers = chosen.matchers.matchers if chosen else []
        exact = [m.name for m in matchers if m.op == MatchOp.Equal and m.name != "__name__"]
        return frozenset(exact)
    if name in _SCALARS:
        return _NONE
    vectors = [one for one in node.args if not is_scalar(one) and not _is_text(one)]
    inner = result_labels(vectors[0], known) if vectors else _NONE
    if inner is None:
        return None
    if name in ("label_replace", "label_join"):
        return inner | {node.args[1].val}
    return inner - {"le"} if name == "histogram_quantile" else inner


def _is_text(node: Expr) -> bool:
    return isinstance(node, StringLiteral)


def _joined(  # noqa: PLR0911 - a case a line
    node: BinaryExpr, left: Labels, right: Labels
) -> Labels:
    sign = operator(node)
    if sign == "or":
        return union(left, right)
    if sign in ("and", "unless") or is_scalar(node.rhs):
        return left
    if is_scalar(node.lhs):
        return right
    how = node.modifier
    if how is None:
        return left
    if how.card == VectorMatchCardinality.ManyToOne:
        return union(left, frozenset(how.group_labels or ()))
    if how.card == VectorMatchCardinality.OneToMany:
        return union(right, frozenset(how.group_labels or ()))
    if how.matching is None:
        return left
    if how.matching.type == LabelModifierType.Include:
        return frozenset(how.matching.labels)
    return None if left is None else left - frozenset(how.matching.labels)
