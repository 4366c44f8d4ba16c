"""One small mistake at a time: the ways in which an expression may be wrong.

A comparison the other way round, a limit a quarter too high or a fifth too low, a range twice or
half as long, a shift in time forgotten, a leg of `and`, `or`, `unless` or a matcher left out. A
rule whose cases cannot tell it from such a neighbour is not tested, whatever its coverage says.

What an author chose once is changed once: the same range or matcher in several selectors of a
rule is one choice, and changed in all of them. (Changed in one alone it often means nothing: the
other leg of an `and` still holds it.)
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Final

from msgspec import Struct
from promql_parser import (
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    SubqueryExpr,
    UnaryExpr,
)

from abops.observability.promql import (
    COMPARISONS,
    SETS,
    children,
    duration,
    number,
    operator,
    parsed,
    selector,
    unwrapped,
    walk,
    write_selector,
    write_subquery,
    written,
)

_FLIPPED: Final = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "!=", "!=": "=="}
_SCALES: Final = (1.25, 0.8)
_LENGTHS: Final = (2.0, 0.5)
_NUMBER_MATTERS: Final = {"histogram_quantile": 0, "predict_linear": 1, "quantile_over_time": 0}
"""Functions of which an argument is a choice as much as a threshold is."""


class Change(Struct, frozen=True):
    """One mistake: in words that name it within its rule, and the expression with it."""

    words: str
    expr: str


def changes(expr: str) -> tuple[Change, ...]:
    """Return every mistake of an expression, each with words of its own."""
    known: dict[str, int] = {}
    found: list[Change] = []
    tree = parsed(expr)
    texts = {written(tree)}
    for change in _changes(tree):
        if change.expr in texts:
            continue
        texts.add(change.expr)
        known[change.words] = known.get(change.words, 0) + 1
        nth = known[change.words]
        found.append(Change(f"{change.words} #{nth}" if nth > 1 else change.words, change.expr))
    return tuple(found)


def _changes(tree: Expr) -> Iterator[Change]:
    yield from _in_structure(tree)
    yield from _in_ranges(tree)
    yield from _in_selectors(tree)


def _in_structure(node: Expr) -> Iterator[Change]:
    """Yield the mistakes in the operators and numbers of a node and of those below it."""
    if isinstance(node, BinaryExpr):
        yield from _in_operator(node)
    below = children(node)
    texts = [written(child) for child in below]
    for place, child in enumerate(below):
        for change in _scaled(child) if _is_a_choice(node, place) else _in_structure(child):
            parts = [*texts[:place], change.expr, *texts[place + 1 :]]
            yield Change(change.words, written(node, parts))


def _in_operator(node: BinaryExpr) -> Iterator[Change]:
    sign = operator(node)
    left, right = written(node.lhs), written(node.rhs)
    if sign in COMPARISONS:
        whole = written(node, ["\0", "\0"])
        flipped = whole.replace(f" {sign}", f" {_FLIPPED[sign]}", 1)
        first, second = flipped.split("\0")[1:]
        yield Change(f"{sign} -> {_FLIPPED[sign]}", f"{left}{first}{right}{second}")
    elif sign in SETS:
        yield Change(f"{sign}: right leg dropped", f"({left})")
        yield Change(f"{sign}: left leg dropped", f"({right})")


def _in_ranges(tree: Expr) -> Iterator[Change]:
    found = [n.range for n in walk(tree) if isinstance(n, MatrixSelector | SubqueryExpr)]
    for window in dict.fromkeys(length for length in found if length is not None):
        for factor in _LENGTHS:
            words = f"range {duration(window)} -> {duration(window * factor)}"
            yield Change(words, _rewritten(tree, partial(_resized, window, window * factor)))


def _resized(window: timedelta, length: timedelta, node: Expr) -> str | None:
    if isinstance(node, MatrixSelector) and node.range == window:
        chosen = node.vector_selector
        return write_selector(chosen, chosen.matchers.matchers, length)
    if isinstance(node, SubqueryExpr) and node.range == window:
        inner = _rewritten(node.expr, partial(_resized, window, length))
        return write_subquery(inner, node, length)
    return None


def _in_selectors(tree: Expr) -> Iterator[Change]:
    chosen = [own for node in walk(tree) if (own := selector(node)) is not None]
    for shift in dict.fromkeys(own.offset for own in chosen if own.offset):
        words = f"offset {duration(shift)} dropped"
        yield Change(words, _rewritten(tree, partial(_unmoved, shift)))
    texts = dict.fromkeys(
        str(matcher)
        for own in chosen
        for matcher in own.matchers.matchers
        if matcher.name != "__name__" and (own.name or len(own.matchers.matchers) > 1)
    )
    for text in texts:
        yield Change(f"matcher {text} dropped", _rewritten(tree, partial(_wider, text)))


def _unmoved(shift: timedelta, node: Expr) -> str | None:
    own = selector(node)
    if own is None or own.offset != shift:
        return None
    return write_selector(own, own.matchers.matchers, _range(node), timedelta())


def _wider(text: str, node: Expr) -> str | None:
    own = selector(node)
    if own is None:
        return None
    rest = [matcher for matcher in own.matchers.matchers if str(matcher) != text]
    return write_selector(own, rest, _range(node)) if own.name or rest else None


def _range(node: Expr) -> timedelta | None:
    return node.range if isinstance(node, MatrixSelector) else None


def _rewritten(node: Expr, edit: Callable[[Expr], str | None]) -> str:
    """Return an expression as text, each node as `edit` says or else as it is."""
    text = edit(node)
    if text is not None:
        return text
    return written(node, [_rewritten(child, edit) for child in children(node)])


def _is_a_choice(parent: Expr, place: int) -> bool:
    """Return whether a child is a number that somebody chose, to be scaled."""
    child = children(parent)[place]
    bare = unwrapped(child)
    while isinstance(bare, UnaryExpr):
        bare = unwrapped(bare.expr)
    if not isinstance(bare, NumberLiteral):
        return False
    if isinstance(parent, Call):
        return _NUMBER_MATTERS.get(parent.func.name) == place
    return isinstance(parent, BinaryExpr)


def _scaled(node: Expr) -> Iterator[Change]:
    if isinstance(node, NumberLiteral):
        for factor in _SCALES:
            value = number(node.val * factor)
            yield Change(f"{number(node.val)} -> {value}", value)
        return
    for child in children(node):
        for change in _scaled(child):
            yield Change(change.words, written(node, [change.expr]))
