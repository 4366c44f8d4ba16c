"""Which work began which, on one clock.

Three things come between spans and a tree. A parent may not be there: heads are sampled, and a
late span arrives alone; then a place is kept for it, so that what it began stays together. A
clock of another machine may be off, so that an answer comes before its question; then all that
this machine did for the call is moved, and says so. And ids come from outside: what calls
itself its own ancestor is set at the top.

No function here calls itself: a trace may be deeper than Python's stack.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from abops.observability.traces.spans import Span

TOLERANCE_NS: Final = 1_000_000
"""Clocks of one machine differ by less when threads take turns."""


class Node(Struct, frozen=True):
    """A span in its tree, or the place of one that was not kept."""

    span: Span | None
    id: str
    depth: int
    parent: int | None
    """Index of the parent in the tree."""
    start_ns: int
    end_ns: int
    """Both on the clock of the root."""
    moved_ns: int = 0
    children: tuple[int, ...] = ()

    @property
    def duration_ns(self) -> int:
        """Return how long it took."""
        return self.end_ns - self.start_ns


class Tree(Struct, frozen=True):
    """All nodes of one trace, each parent before its children, siblings by their start."""

    nodes: tuple[Node, ...]
    start_ns: int
    end_ns: int

    @property
    def duration_ns(self) -> int:
        """Return the time from the first start to the last end."""
        return self.end_ns - self.start_ns

    @property
    def roots(self) -> tuple[int, ...]:
        """Return the indices of the nodes without a parent."""
        return tuple(index for index, node in enumerate(self.nodes) if node.parent is None)

    @property
    def spans(self) -> Iterator[Span]:
        """Return the spans that are there, in the order of the tree."""
        return (node.span for node in self.nodes if node.span is not None)

    @property
    def first(self) -> Span:
        """Return the span that stands for the trace: the root, or the first that was kept."""
        return next(self.spans)


def grow(spans: Iterable[Span]) -> Tree:
    """Return the tree of the spans of one trace; there must be one."""
    known = {span.id: span for span in spans}
    children, tops = _families(known)
    shifts = _shifts(known, children, tops)
    times = {i: (s.start_ns + shifts[i], s.end_ns + shifts[i]) for i, s in known.items()}
    for missing in [top for top in tops if top not in known]:
        inside = [times[child] for child in children[missing]]
        times[missing] = (min(start for start, _ in inside), max(end for _, end in inside))
    nodes = _in_order(known, children, tops, times, shifts)
    return Tree(
        tuple(nodes),
        min(node.start_ns for node in nodes),
        max(node.end_ns for node in nodes),
    )


def _families(known: dict[str, Span]) -> tuple[dict[str, list[str]], list[str]]:
    """Return children by their parent's id, and what has no parent; each id has one place."""
    children: dict[str, list[str]] = {}
    tops: dict[str, None] = {}
    for span in known.values():
        if not span.parent_id or span.parent_id == span.id:
            tops[span.id] = None
            continue
        children.setdefault(span.parent_id, []).append(span.id)
        if span.parent_id not in known:
            tops[span.parent_id] = None
    reached = set(_descend(tops, children))
    for span in known.values():  # what is left goes round in circles
        if span.id not in reached:
            children[span.parent_id].remove(span.id)
            tops[span.id] = None
            reached.update(_descend([span.id], children))
    return children, list(tops)


def _descend(tops: Iterable[str], children: dict[str, list[str]]) -> Iterator[str]:
    waiting = list(tops)
    while waiting:
        yield (current := waiting.pop())
        waiting.extend(children.get(current, ()))


def _shifts(
    known: dict[str, Span], children: dict[str, list[str]], tops: list[str]
) -> dict[str, int]:
    """Return by how much each span is moved."""
    shifts: dict[str, int] = {}
    for current in _descend(tops, children):
        span = known.get(current)
        if span is None:
            continue
        parent = known.get(span.parent_id)
        if parent is None or parent.id not in shifts:
            shifts[current] = 0
        elif parent.service == span.service:
            shifts[current] = shifts[parent.id]
        else:
            shifts[current] = _shift(span, parent, shifts[parent.id])
    return shifts


def _shift(span: Span, parent: Span, parent_shift: int) -> int:
    """Return how far a span of another machine is moved, so that it does not precede its cause."""
    begin, end = parent.start_ns + parent_shift, parent.end_ns + parent_shift
    is_call = parent.kind == "client" and span.kind == "server"
    too_early = span.start_ns < begin - TOLERANCE_NS
    too_late = is_call and span.start_ns > end + TOLERANCE_NS
    if not too_early and not too_late:
        return 0
    if span.kind == "consumer":
        return end - span.start_ns  # how long it waited is not known
    spare = max(parent.duration_ns - span.duration_ns, 0)
    return begin + spare // 2 - span.start_ns  # there and back took as long


def _in_order(
    known: dict[str, Span],
    children: dict[str, list[str]],
    tops: list[str],
    times: dict[str, tuple[int, int]],
    shifts: dict[str, int],
) -> list[Node]:
    def sooner(identity: str) -> tuple[int, int, str]:
        return times[identity][0], -times[identity][1], identity

    nodes: list[Node] = []
    below: dict[int, list[int]] = {}
    waiting: list[tuple[str, int | None]] = [
        (top, None) for top in sorted(tops, key=sooner, reverse=True)
    ]
    while waiting:
        identity, parent = waiting.pop()
        index = len(nodes)
        if parent is not None:
            below.setdefault(parent, []).append(index)
        start, end = times[identity]
        depth = 0 if parent is None else nodes[parent].depth + 1
        moved = shifts.get(identity, 0)
        nodes.append(Node(known.get(identity), identity, depth, parent, start, end, moved))
        inside = sorted(children.get(identity, ()), key=sooner, reverse=True)
        waiting.extend((child, index) for child in inside)
    return [_with_children(node, below.get(index, [])) for index, node in enumerate(nodes)]


def _with_children(node: Node, children: list[int]) -> Node:
    if not children:
        return node
    return Node(
        node.span,
        node.id,
        node.depth,
        node.parent,
        node.start_ns,
        node.end_ns,
        node.moved_ns,
        tuple(children),
    )
