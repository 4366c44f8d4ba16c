"""Comparisons and ratios that decide something else than they seem to."""

from collections.abc import Iterable, Iterator
from typing import Final

from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    NumberLiteral,
    UnaryExpr,
    VectorSelector,
)

from abops.observability.lint.flow import is_scalar
from abops.observability.lint.model import Facts, Fault, Subject
from abops.observability.promql import (
    COMPARISONS,
    children,
    named,
    operator,
    selector,
    unwrapped,
    walk,
    written,
)

CAPACITIES: Final = {
    "node_filesystem_avail_bytes": "node_filesystem_size_bytes",
    "node_filesystem_files_free": "node_filesystem_files",
    "node_memory_MemAvailable_bytes": "node_memory_MemTotal_bytes",
    "node_nf_conntrack_entries": "node_nf_conntrack_entries_limit",
    "process_open_fds": "process_max_fds",
    "pg_stat_activity_count": "pg_settings_max_connections",
    "redis_memory_used_bytes": "redis_memory_max_bytes",
    "redis_connected_clients": "redis_config_maxclients",
    "container_memory_working_set_bytes": "kube_pod_container_resource_limits",
    "db_client_connection_count": "db_client_connection_max",
    "kubelet_volume_stats_available_bytes": "kubelet_volume_stats_capacity_bytes",
}
"""What is used or left, and the series that says of how much."""


def unguarded_ratio(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield ratios that are NaN without traffic, or absent without errors."""
    for node in walk(tree):
        if not isinstance(node, BinaryExpr) or operator(node) != "/" or is_scalar(node.rhs):
            continue
        if is_scalar(node.lhs):
            continue
        if not _is_guarded(node.rhs, facts):
            yield Fault(
                "ratio-unguarded",
                f"without traffic, {_short(node.rhs)} is 0 and the ratio NaN or infinite",
                "Divide by (total > 0): then it is absent.",
            )
        if subject.kind != "alert" and _is_part_of(node.lhs, node.rhs):
            yield Fault(
                "ratio-without-zero",
                f"without errors, {_short(node.lhs)} is absent and the ratio a gap, not 0",
                "Divide (bad or 0 * total).",
            )


def raw_counter(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield counters compared with a number: true from the first time to the next restart."""
    del subject
    for node, read, _limit in _comparisons(_outside_divisors(tree)):
        if facts.is_counter(read) and operator(node) not in ("==", "!="):
            yield Fault(
                "counter-compared",
                f"the counter {named(read)} only grows",
                "Compare its increase or rate.",
            )


def info_is_zero(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield info metrics compared with zero: they are one or absent."""
    del subject, facts
    for node, read, limit in _comparisons(walk(tree)):
        if named(read).endswith("_info") and operator(node) in ("==", "<") and limit <= 1:
            yield Fault(
                "info-compared",
                f"{named(read)} is 1 or not there: this is never true",
                "Use absent() or `unless`.",
            )


def absolute_limit(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield limits in units of their own where a series says how much there is."""
    del facts
    if subject.kind != "alert":
        return
    names = {named(own) for node in walk(tree) if (own := selector(node)) is not None}
    for _node, read, limit in _comparisons(walk(tree)):
        capacity = CAPACITIES.get(named(read))
        if capacity and capacity not in names and limit != 0:
            yield Fault(
                "limit-absolute",
                f"{named(read)} is compared with {limit:g}, right for one machine only",
                f"Compare its share of {capacity}.",
            )


def _comparisons(nodes: Iterable[Expr]) -> Iterator[tuple[BinaryExpr, VectorSelector, float]]:
    """Yield comparisons of one series, or of an aggregation of it, with a number."""
    for node in nodes:
        if not isinstance(node, BinaryExpr) or operator(node) not in COMPARISONS:
            continue
        limit = _number(node.rhs)
        read = unwrapped(node.lhs)
        while isinstance(read, AggregateExpr):
            read = unwrapped(read.expr)
        if limit is not None and isinstance(read, VectorSelector):
            yield node, read, limit


def _outside_divisors(node: Expr) -> Iterator[Expr]:
    """Yield a node and what is below it, but not what is divided by: `> 0` there is a guard."""
    yield node
    below = children(node)
    for child in below[:1] if operator(node) == "/" else below:
        yield from _outside_divisors(child)


def _number(node: Expr) -> float | None:
    bare = unwrapped(node)
    if isinstance(bare, UnaryExpr):
        inner = _number(bare.expr)
        return None if inner is None else -inner
    return bare.val if isinstance(bare, NumberLiteral) else None


def _is_guarded(node: Expr, facts: Facts) -> bool:
    bare = unwrapped(node)
    if isinstance(bare, VectorSelector) and _is_never_zero(named(bare), facts):
        return True
    if isinstance(bare, AggregateExpr):
        return _is_guarded(bare.expr, facts)
    if isinstance(bare, Call):
        return bare.func.name in ("clamp_min", "vector") or (
            bare.func.name == "label_replace" and _is_guarded(bare.args[0], facts)
        )
    if isinstance(bare, BinaryExpr):
        sign = operator(bare)
        if sign in (">", "!=", ">="):
            return True
        if sign in ("and", "or", "*", "+"):
            return _is_guarded(bare.lhs, facts) and (sign != "or" or _is_guarded(bare.rhs, facts))
    return False


def _is_never_zero(name: str, facts: Facts) -> bool:
    return name.endswith("_interval_seconds") or name in facts.constants


def _is_part_of(part: Expr, whole: Expr) -> bool:
    """Return whether the upper side of a ratio chooses some of the series of the lower side."""
    bare = unwrapped(part)
    if isinstance(bare, BinaryExpr) and operator(bare) == "or":
        return False
    upper, lower = _selectors(part), _selectors(whole)
    if len(upper) != 1 or len(lower) != 1 or named(upper[0]) != named(lower[0]):
        return False
    return len(upper[0].matchers.matchers) > len(lower[0].matchers.matchers)


def _selectors(node: Expr) -> list[VectorSelector]:
    return [own for one in walk(node) if (own := selector(one)) is not None]


def _short(node: Expr) -> str:
    text = written(node)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's worth
