"""Times of segments as lines of a table, and the median of several runs; pure."""

import math
import statistics
from collections.abc import Sequence

Row = dict[str, object]
_TIMES = ("median_ms", "p95_ms", "max_ms")


def row(what: str, times: Sequence[float], goal_ms: float | None = None, **more: object) -> Row:
    """Return a line: what segments cost, in milliseconds, and what p95 was to be."""
    ordered = sorted(times)
    return {
        "what": what,
        "segments": len(times),
        "median_ms": round(statistics.median(times), 1),
        "p95_ms": round(ordered[math.ceil(len(ordered) * 0.95) - 1], 1),
        "max_ms": round(max(times), 1),
        "goal_ms": goal_ms,
        **more,
    }


def over_runs(runs: Sequence[Sequence[Row]]) -> list[Row]:
    """Return the median of each figure over runs; what is missing is counted at its worst."""
    return [_over(rows) for rows in zip(*runs, strict=True)]


def _over(rows: Sequence[Row]) -> Row:
    one = dict(rows[0])
    for name in _TIMES:
        one[name] = round(statistics.median(_number(each[name]) for each in rows), 1)
    one["p95_of_runs_ms"] = [each["p95_ms"] for each in rows]
    if "equal" in one:
        one["equal"] = min(_number(each["equal"]) for each in rows)
    if "unanswered" in one:
        one["unanswered"] = sum(_number(each["unanswered"]) for each in rows)
    if one["goal_ms"] is not None:
        met = _number(one["p95_ms"]) <= _number(one["goal_ms"])
        one["met"] = met and one.get("equal", one.get("owed")) == one.get("owed")
    return one


def told(one: Row) -> str:
    """Return a line's figures in words."""
    said = f"median {one['median_ms']} p95 {one['p95_ms']} max {one['max_ms']} ms"
    if one.get("unanswered"):
        said = f"no answer within {_number(one['max_ms']) / 1000:g} s, {one['unanswered']} times"
    if "equal" in one:
        said = f"{_number(one['median_ms']) / 1000:.1f} s, {one['equal']} of {one['owed']} equal"
    if one["goal_ms"] is not None:
        said += f"  <= {one['goal_ms']:g} ms: {'reached' if one.get('met') else 'MISSED'}"
    return said


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value
