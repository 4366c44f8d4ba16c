"""What the picture of a trace shows: rows from top to bottom, bars from left to right.

Lengths are thousandths of the whole width. Three kinds of rows: a span, the place of a span
that was not kept, and many alike folded into one: a loop that asks the database 400 times is
one fact, not 400 rows. What failed is never folded away.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from abops.observability.traces.critical import CriticalPath, critical_path
from abops.observability.traces.spans import Span
from abops.observability.traces.tree import Node, Tree, grow

WIDTH: Final = 1_000
NARROWEST: Final = 2.0
"""A span of microseconds is still to be seen."""
COLORS: Final = 8
ALIKE_AT_MOST: Final = 10
ALIKE_SHOWN: Final = 4
ROWS_AT_MOST: Final = 400
DEEPEST: Final = 16
"""Steps of indentation; what is deeper stands as far in as this."""


class Bar(Struct, frozen=True):
    """A stretch of time, drawn."""

    x: float
    width: float


class Fold(Struct, frozen=True):
    """Rows that are not shown, and what they have in common."""

    count: int
    total_ns: int
    slowest_ns: int


class Row(Struct, frozen=True):
    """One row of the picture."""

    span: Span | None
    depth: int
    level: int
    """How far in it stands, which stops at a limit."""
    color: int
    """Which of the eight colours; 0: none."""
    start_ns: int
    """Since the trace began."""
    duration_ns: int
    bar: Bar
    critical: tuple[Bar, ...] = ()
    wait: Bar | None = None
    """From the end of the sending to the start of the receiving."""
    wait_ns: int = 0
    moved_ns: int = 0
    fold: Fold | None = None


class Service(Struct, frozen=True):
    """One service of a trace."""

    name: str
    color: int
    spans: int
    failed: int


class Share(Struct, frozen=True):
    """Who took how much of the critical path."""

    name: str
    ns: int
    percent: float


class Picture(Struct, frozen=True):
    """A whole trace, ready to be drawn."""

    id: str
    start_ns: int
    duration_ns: int
    first: Span
    rows: tuple[Row, ...]
    rows_left_out: int
    """Rows beyond the limit."""
    failed_left_out: int
    folded: int
    """Spans in folded rows."""
    services: tuple[Service, ...]
    shares: tuple[Share, ...]
    spans: int
    failed: int
    late: int
    missing: int
    """Places of spans that were not kept."""
    moved: int
    environment: str

    @property
    def has_root(self) -> bool:
        """Tell whether the beginning was kept."""
        return self.rows[0].span is not None and not self.rows[0].span.parent_id


def draw(spans: Sequence[Span], *, whole: bool = False) -> Picture:
    """Return the picture of the spans of one trace; `whole` folds and leaves out nothing."""
    tree = grow(spans)
    path = critical_path(tree)
    colors = _colors(tree)
    scale = WIDTH / max(tree.duration_ns, 1)
    rows: list[Row] = []
    folded = 0
    for members in _unfolded(tree) if whole else _folded(tree, path):
        row = _row(tree, members[0], path, colors, scale)
        if len(members) > 1:
            folded += len(members)
            row = _fold(row, tree, members, scale)
        rows.append(row)
    shown = rows if whole else rows[:ROWS_AT_MOST]
    kept = tuple(tree.spans)
    return Picture(
        id=tree.first.trace_id,
        start_ns=tree.start_ns,
        duration_ns=tree.duration_ns,
        first=tree.first,
        rows=tuple(shown),
        rows_left_out=len(rows) - len(shown),
        failed_left_out=sum(r.span is not None and r.span.failed for r in rows[len(shown) :]),
        folded=folded,
        services=_services(kept, colors),
        shares=_shares(tree, path),
        spans=len(kept),
        failed=sum(span.failed for span in kept),
        late=sum(span.is_late for span in kept),
        missing=len(tree.nodes) - len(kept),
        moved=sum(node.moved_ns != 0 for node in tree.nodes),
        environment=next((span.environment for span in kept if span.environment), ""),
    )


def reach(tree: Tree) -> tuple[str, ...]:
    """Return the services and systems that a trace goes through, in the order of their turn."""
    found: dict[str, None] = {}
    for span in tree.spans:
        found[span.service] = None
        if span.peer:
            found[span.peer] = None
    return tuple(found)


def brief(nanoseconds: int) -> str:
    """Write a duration in three figures: 412 µs, 3.21 ms, 41.0 ms, 1.24 s, 1m 04s."""
    for size, unit in ((1_000, "µs"), (1_000_000, "ms"), (1_000_000_000, "s")):
        value = nanoseconds / size
        if value < 1_000 and (unit != "s" or value < 60):  # noqa: PLR2004 - a minute
            decimals = 0 if value >= 100 or unit == "µs" else 1 if value >= 10 else 2  # noqa: PLR2004
            text = f"{value:.{decimals}f}"
            if text != "1000":
                return f"{text} {unit}"
    whole = round(nanoseconds / 1_000_000_000)
    if whole >= 3_600:  # noqa: PLR2004 - an hour
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 60}m {whole % 60:02d}s"


def _colors(tree: Tree) -> dict[str, int]:
    names = dict.fromkeys(span.service for span in tree.spans)
    return {name: index % COLORS + 1 for index, name in enumerate(names)}


def _services(spans: Iterable[Span], colors: dict[str, int]) -> tuple[Service, ...]:
    members: dict[str, list[Span]] = {name: [] for name in colors}
    for span in spans:
        members[span.service].append(span)
    return tuple(
        Service(name, colors[name], len(own), sum(span.failed for span in own))
        for name, own in members.items()
    )


def _shares(tree: Tree, path: CriticalPath) -> tuple[Share, ...]:
    whole = max(tree.duration_ns, 1)
    return tuple(Share(name, ns, round(100 * ns / whole, 1)) for name, ns in path.share(tree))


def _unfolded(tree: Tree) -> list[tuple[int, ...]]:
    return [(index,) for index in range(len(tree.nodes))]


def _folded(tree: Tree, path: CriticalPath) -> list[tuple[int, ...]]:
    """Return the nodes of each row, in the order of the rows."""
    hidden: set[int] = set()
    groups: dict[int, tuple[int, ...]] = {}
    for node in tree.nodes:
        for members in _alike(tree, node.children):
            left = _left_over(tree, members, path)
            hidden.update(left)
            groups[left[0]] = left
    rows = []
    for index in range(len(tree.nodes)):
        if index in groups:
            rows.append(groups[index])
        elif index not in hidden:
            rows.append((index,))
    return rows


def _alike(tree: Tree, children: Sequence[int]) -> list[list[int]]:
    """Return the groups of siblings that are too many of a kind to show."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for index in children:
        span = tree.nodes[index].span
        if span is not None and not span.failed and not tree.nodes[index].children:
            kinds.setdefault((span.service, span.name), []).append(index)
    return [members for members in kinds.values() if len(members) > ALIKE_AT_MOST]


def _left_over(tree: Tree, members: Sequence[int], path: CriticalPath) -> tuple[int, ...]:
    """Return whom to fold: all but the first, and the ones that took the most."""
    first, rest = members[: ALIKE_SHOWN - 1], members[ALIKE_SHOWN - 1 :]
    most = max(rest, key=lambda index: (index in path.stretches, tree.nodes[index].duration_ns))
    shown = {*first, most}
    return tuple(index for index in members if index not in shown)


def _row(tree: Tree, index: int, path: CriticalPath, colors: dict[str, int], scale: float) -> Row:
    node = tree.nodes[index]
    start = node.start_ns - tree.start_ns
    wait_ns = _wait(tree, node)
    return Row(
        span=node.span,
        depth=node.depth,
        level=min(node.depth, DEEPEST),
        color=colors[node.span.service] if node.span else 0,
        start_ns=start,
        duration_ns=node.duration_ns,
        bar=_bar(start, node.duration_ns, scale),
        critical=tuple(
            _bar(begin - tree.start_ns, end - begin, scale)
            for begin, end in path.stretches.get(index, ())
        ),
        wait=_bar(start - wait_ns, wait_ns, scale) if wait_ns else None,
        wait_ns=wait_ns,
        moved_ns=node.moved_ns,
    )


def _wait(tree: Tree, node: Node) -> int:
    """Return how long a message lay between its sending and its receiving."""
    if node.parent is None or node.span is None or node.span.kind != "consumer":
        return 0
    parent = tree.nodes[node.parent]
    return max(node.start_ns - parent.end_ns, 0) if parent.span is not None else 0


def _fold(row: Row, tree: Tree, members: Sequence[int], scale: float) -> Row:
    nodes = [tree.nodes[index] for index in members]
    begin = min(node.start_ns for node in nodes) - tree.start_ns
    end = max(node.end_ns for node in nodes) - tree.start_ns
    lasts = [node.duration_ns for node in nodes]
    return Row(
        span=row.span,
        depth=row.depth,
        level=row.level,
        color=row.color,
        start_ns=begin,
        duration_ns=end - begin,
        bar=_bar(begin, end - begin, scale),
        fold=Fold(len(nodes), sum(lasts), max(lasts)),
    )


def _bar(start_ns: int, duration_ns: int, scale: float) -> Bar:
    width = max(duration_ns * scale, NARROWEST)
    return Bar(round(min(start_ns * scale, WIDTH - width), 2), round(width, 2))
