"""What was measured beside what was to be reached, as lines of a table; pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from costs import Cost, median_of


class Row(NamedTuple):
    """One line: a figure, what it is compared with, the goal, and whether it was reached."""

    what: str
    figure: str
    goal: str = ""
    met: bool | None = None
    """None: nothing was to be reached, it is there to compare with."""


class Planted(NamedTuple):
    """One damage: whether our verification found it, and what the engine's own did."""

    kind: str
    at: str
    ours: bool
    engine_says: bool
    """The engine's text has an error in it."""
    engine_code: int


def cost_row(what: str, costs: Sequence[Cost]) -> Row:
    """Return what something costs, for comparison."""
    one = median_of(costs)
    spread = f"{min(c.wall_s for c in costs):.1f} to {max(c.wall_s for c in costs):.1f}"
    return Row(
        what,
        f"{one.wall_s:.2f} s ({spread}, {len(costs)} runs), "
        f"CPU {one.cpu_s:.1f} s and servers {one.servers_s:.1f} s",
    )


def ratio_row(
    what: str,
    ours: Sequence[Cost],
    other: Sequence[Cost],
    limit: float | None = None,
    *,
    judged: bool = True,
) -> Row:
    """Return the ratio of two medians; with a limit it is judged, by wall time."""
    mine, theirs = median_of(ours), median_of(other)
    wall = mine.wall_s / theirs.wall_s
    return Row(
        what,
        f"{wall:.2f} on the wall, {mine.all_cpu_s / theirs.all_cpu_s:.2f} of all CPU",
        "" if limit is None else f"<= {limit:g}",
        None if limit is None or not judged else wall <= limit,
    )


def size_row(what: str, parts: Sequence[int], whole: int, limit: float | None = None) -> Row:
    """Return the biggest part of several as a share of the whole."""
    share = max(parts) / whole
    sizes = ", ".join(f"{part / 1e6:.1f}" for part in parts)
    return Row(
        what,
        f"{share:.1%} ({sizes} MB of {whole / 1e6:.1f} MB)",
        "" if limit is None else f"<= {limit:.0%}",
        None if limit is None else share <= limit,
    )


def damage_rows(planted: Sequence[Planted], clean: Sequence[bool]) -> list[Row]:
    """Return what was found of what was planted; `clean`: whether each whole copy was accused."""
    count, ours = len(planted), sum(one.ours for one in planted)
    said = sum(one.engine_says for one in planted)
    coded = sum(one.engine_code != 0 for one in planted)
    rows = [
        Row(
            "damage and gaps found in one cycle",
            f"{ours} of {count}, {sum(clean)} of {len(clean)} whole copies accused",
            "100 %, 0",
            ours == count and not any(clean) and bool(count),
        ),
        Row(
            "the engine's own verify",
            f"{said} of {count} by its text, {coded} of {count} by its exit code",
        ),
    ]
    rows += [Row("  missed", f"{one.kind}: {one.at}") for one in planted if not one.ours]
    kinds = sorted({one.kind for one in planted if not one.engine_says})
    if kinds:
        rows.append(Row("  the engine says nothing of", "; ".join(kinds)))
    return rows


def drill_rows(drills: Sequence[Mapping[str, object]], rto_s: float, rpo_s: float) -> list[Row]:
    """Return RTO and RPO for each destination: the worst of its drills."""
    rows = []
    for name in sorted({str(one["destination"]) for one in drills}):
        own = [one for one in drills if one["destination"] == name]
        rto = [_number(one["rto_s"]) for one in own]
        rpo = [_number(one["rpo_s"]) for one in own]
        good = all(one["outcome"] == "success" for one in own)
        rows.append(
            Row(
                f"drills from {name}",
                f"RTO {max(rto):.1f} s, RPO {max(rpo):.1f} s, {len(own)} drills, "
                f"{'all succeeded' if good else 'not all succeeded'}",
                f"<= {rto_s:g} s, <= {rpo_s:g} s",
                good and max(rto) <= rto_s and max(rpo) <= rpo_s,
            )
        )
    return rows


def time_row(what: str, seconds: Sequence[float], limit_s: float, *, good: bool = True) -> Row:
    """Return how long a command takes, judged by its slowest."""
    slowest = max(seconds)
    told = f"{slowest:.1f} s, {len(seconds)} runs" + ("" if good else ", failed")
    return Row(what, told, f"<= {limit_s:g} s", good and slowest <= limit_s)


def _number(value: object) -> float:
    """Return a measured number; what was not measured counts as endless."""
    return float(value) if isinstance(value, int | float) else float("inf")
