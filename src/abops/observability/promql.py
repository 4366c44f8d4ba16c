"""PromQL as a tree: read, walked, and written again with one part changed.

The parser's nodes cannot be built by hand, so a changed expression is a changed text: every node
is written from the texts of its children.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

import promql_parser
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    AtModifierType,
    BinaryExpr,
    Call,
    Expr,
    LabelModifierType,
    Matcher,
    MatchOp,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorMatchCardinality,
    VectorSelector,
)

from abops.kernel.errors import OpsError

COMPARISONS: Final = frozenset({"==", "!=", ">", "<", ">=", "<="})
SETS: Final = frozenset({"and", "or", "unless"})
_EQUAL: Final = MatchOp.Equal


class PromqlError(OpsError):
    """An expression is not PromQL."""

    hint = "Mend the expression in its catalogue entry or board."


def parsed(text: str) -> Expr:
    """Return the tree of an expression. Raises PromqlError."""
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        raise PromqlError(f"{error} in: {text}") from error


def children(node: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly below a node, in the order they are written."""
    if isinstance(node, BinaryExpr):
        return (node.lhs, node.rhs)
    if isinstance(node, AggregateExpr):
        return (node.expr,) if node.param is None else (node.param, node.expr)
    if isinstance(node, Call):
        return tuple(node.args)
    if isinstance(node, ParenExpr | UnaryExpr | SubqueryExpr):
        return (node.expr,)
    return ()


def walk(node: Expr) -> Iterator[Expr]:
    """Yield a node and everything below it. A range selector has no selector below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def selector(node: Expr) -> VectorSelector | None:
    """Return the selector that a node is, with or without a range."""
    if isinstance(node, MatrixSelector):
        return node.vector_selector
    return node if isinstance(node, VectorSelector) else None


def unwrapped(node: Expr) -> Expr:
    """Return what stands in the parentheses, or the node itself."""
    while isinstance(node, ParenExpr):
        node = node.expr
    return node


def operator(node: Expr) -> str:
    """Return the operator of a binary expression or an aggregation; else nothing."""
    return str(node.op) if isinstance(node, BinaryExpr | AggregateExpr) else ""


def named(node: VectorSelector) -> str:
    """Return the metric that a selector reads; nothing where it is chosen by a pattern."""
    if node.name:
        return node.name
    exact = (m.value for m in node.matchers.matchers if m.name == "__name__" and m.op == _EQUAL)
    return next(exact, "")


def written(node: Expr, parts: Sequence[str] | None = None) -> str:  # noqa: PLR0911 - a kind a line
    """Return a node as text; `parts` stand for its children."""
    if parts is None:
        parts = [written(child) for child in children(node)]
    if isinstance(node, BinaryExpr):
        return f"{parts[0]} {operator(node)}{_matching(node)} {parts[1]}"
    if isinstance(node, AggregateExpr):
        return f"{operator(node)}{_grouping(node)}({', '.join(parts)})"
    if isinstance(node, Call):
        return f"{node.func.name}({', '.join(parts)})"
    if isinstance(node, ParenExpr):
        return f"({parts[0]})"
    if isinstance(node, UnaryExpr):
        return f"-{parts[0]}"
    if isinstance(node, SubqueryExpr):
        return write_subquery(parts[0], node, node.range or timedelta())
    own = selector(node)
    if own is not None:
        return write_selector(
            own, own.matchers.matchers, node.range if isinstance(node, MatrixSelector) else None
        )
    if isinstance(node, StringLiteral):
        return quoted(node.val)
    return number(node.val) if isinstance(node, NumberLiteral) else str(node)


def write_selector(
    node: VectorSelector,
    matchers: Sequence[Matcher],
    window: timedelta | None,
    offset: timedelta | None = None,
) -> str:
    """Return a selector as text with these matchers, this range and this offset, else its own."""
    braces = write_matchers(matchers) if matchers or not node.name else ""
    ranged = f"[{duration(window)}]" if window is not None else ""
    return f"{node.name or ''}{braces}{ranged}{_moved(node, offset)}"


def write_matchers(matchers: Sequence[Matcher]) -> str:
    """Return the braces of a selector with these matchers."""
    inside = ",".join(f"{m.name}{sign(m)}{quoted(m.value)}" for m in matchers)
    return f"{{{inside}}}"


def write_subquery(inner: str, node: SubqueryExpr, window: timedelta) -> str:
    """Return a subquery as text with this range."""
    step = duration(node.step) if node.step else ""
    return f"{inner}[{duration(window)}:{step}]{_moved(node, None)}"


def sign(matcher: Matcher) -> str:
    """Return the operator of a matcher: `=`, `!=`, `=~` or `!~`."""
    return str(matcher)[len(matcher.name) : -len(matcher.value) - 2]


def quoted(value: str) -> str:
    """Return a string as PromQL writes it; the parser's own text leaves quotes bare."""
    inside = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inside}"'


def duration(value: timedelta) -> str:
    """Return a time span as PromQL writes it."""
    if value < timedelta():
        return f"-{promql_parser.display_duration(-value)}"
    return promql_parser.display_duration(value)


def number(value: float) -> str:
    """Return a number as PromQL writes it."""
    return f"{value:.10g}"


def _moved(node: VectorSelector | SubqueryExpr, offset: timedelta | None) -> str:
    shift = node.offset if offset is None else offset
    moved = f" offset {duration(shift)}" if shift else ""
    if node.at is None:
        return moved
    if node.at.type == AtModifierType.At and node.at.at is not None:
        return f" @ {node.at.at.timestamp():.3f}{moved}"
    return f" @ {'start' if node.at.type == AtModifierType.Start else 'end'}(){moved}"


def _grouping(node: AggregateExpr) -> str:
    if node.modifier is None:
        return ""
    word = "by" if node.modifier.type == AggModifierType.By else "without"
    return f" {word} ({', '.join(node.modifier.labels)}) "


def _matching(node: BinaryExpr) -> str:
    how: Any = node.modifier
    if how is None:
        return ""
    words = " bool" if how.return_bool else ""
    if how.matching is not None:
        word = "on" if how.matching.type == LabelModifierType.Include else "ignoring"
        words += f" {word} ({', '.join(how.matching.labels)})"
    if how.card in (VectorMatchCardinality.ManyToOne, VectorMatchCardinality.OneToMany):
        side = "left" if how.card == VectorMatchCardinality.ManyToOne else "right"
        words += f" group_{side} ({', '.join(how.group_labels or [])})"
    return words
