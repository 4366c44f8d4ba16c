"""Functions over time: on the right kind of metric, over a time that they need, waited for once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    SubqueryExpr,
    VectorSelector,
)

from abops.observability.lint.model import Facts, Fault, Subject
from abops.observability.promql import duration, named, operator, unwrapped, walk

OF_COUNTERS: Final = frozenset({"rate", "irate", "increase", "resets"})
OF_GAUGES: Final = frozenset({"deriv", "delta", "idelta", "predict_linear"})
SCRAPES: Final = 4
"""A rate needs two samples; four scrapes leave room for one that failed and one that was late."""
_A_DAY: Final = timedelta(days=1)
_AN_HOUR: Final = timedelta(hours=1)
_MEANS: Final = frozenset(
    {"avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "absent_over_time"}
)


def wrong_kind(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield rates of gauges, and slopes of counters."""
    del subject
    for call, read in _read_over_time(tree):
        name = call.func.name
        counter = facts.is_counter(read.vector_selector)
        metric = named(read.vector_selector)
        if name in OF_COUNTERS and counter is False:
            yield Fault(
                "rate-of-gauge",
                f"{name} takes every fall of the gauge {metric} for a restart",
                "Use deriv, delta or the value itself.",
            )
        if name in OF_GAUGES and counter:
            yield Fault(
                "slope-of-counter",
                f"{name} takes a restart of the counter {metric} for a fall",
                "Use rate or increase.",
            )


def short_rate(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield rates over less than four scrapes."""
    del subject
    for call, read in _read_over_time(tree):
        interval = facts.interval(read.vector_selector)
        if call.func.name in OF_COUNTERS and read.range < SCRAPES * interval:
            metric = named(read.vector_selector)
            yield Fault(
                "rate-too-short",
                f"{metric} is scraped every {duration(interval)}; one failed scrape in"
                f" [{duration(read.range)}] leaves nothing to compare",
                f"Use at least [{duration(SCRAPES * interval)}].",
            )


def short_prediction(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield predictions from less than a day."""
    del subject, facts
    for call in _calls(tree):
        if call.func.name != "predict_linear":
            continue
        read = unwrapped(call.args[0])
        window = read.range if isinstance(read, MatrixSelector | SubqueryExpr) else None
        if window is not None and window < _A_DAY:
            yield Fault(
                "prediction-too-short",
                f"a line through {duration(window)} follows the hour of the day, not the trend",
                "Fit it to at least [1d].",
            )


def waited_twice(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield alerts that wait for a mean, and then for their hold as well."""
    del facts
    if not subject.hold:
        return
    for read in _measured(tree):
        if isinstance(read, Call) and read.func.name in _MEANS:
            yield Fault(
                "waits-twice",
                f"{read.func.name} already waits; `for: {duration(subject.hold)}` waits again",
                "Take the value itself with `for`, or the mean without.",
            )


def raw_buckets(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield raw histogram buckets read over more than an hour."""
    del subject, facts
    for read in walk(tree):
        if isinstance(read, MatrixSelector) and read.range > _AN_HOUR:
            metric = named(read.vector_selector)
            edges = [m for m in read.vector_selector.matchers.matchers if m.name == "le"]
            if metric.endswith("_bucket") and not edges:
                yield Fault(
                    "raw-buckets",
                    f"{metric}[{duration(read.range)}] reads every bucket of every series",
                    "Read a recorded series of it.",
                )


def rate_after_sum(subject: Subject, tree: Expr, facts: Facts) -> Iterator[Fault]:
    """Yield rates over a subquery that joins or adds up counters first."""
    del subject, facts
    for call in _calls(tree):
        read = unwrapped(call.args[0]) if call.args else None
        if call.func.name not in OF_COUNTERS or not isinstance(read, SubqueryExpr):
            continue
        inner = unwrapped(read.expr)
        joined = isinstance(inner, BinaryExpr) and operator(inner) == "or"
        if joined or isinstance(inner, AggregateExpr):
            yield Fault(
                "rate-of-joined",
                f"{call.func.name} over `{operator(inner)}`: a series that comes, goes or restarts"
                " looks like a jump",
                "Take the rate of each, then join them: rate(a[5m]) or rate(b[5m]).",
            )


def _calls(tree: Expr) -> Iterator[Call]:
    return (node for node in walk(tree) if isinstance(node, Call))


def _read_over_time(tree: Expr) -> Iterator[tuple[Call, MatrixSelector]]:
    for call in _calls(tree):
        for argument in call.args:
            bare = unwrapped(argument)
            if isinstance(bare, MatrixSelector):
                yield call, bare


def _measured(tree: Expr) -> Iterator[Expr]:
    """Yield what a comparison with a limit reads, below aggregations: not what it divides by."""
    bare = unwrapped(tree)
    if isinstance(bare, BinaryExpr):
        yield from _measured(bare.lhs)
        if operator(bare) in ("or", "and"):
            yield from _measured(bare.rhs)
    elif isinstance(bare, AggregateExpr):
        yield from _measured(bare.expr)
    elif not isinstance(bare, VectorSelector):
        yield bare
