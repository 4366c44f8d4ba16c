"""The critical path: at each moment of a trace, the one span that its end was waiting for.

It is found backwards. From the end of a span, its last child to end is what it waited for;
before the start of that child, the one that had ended by then; and so on to the span's own
start. Where no child is waited for, the span itself takes the time.

A task goes on after the request that sent it has been answered. Its trace ends when the task
does, so the path runs through the queue: from the end of the sending to the start of the
receiving nobody works, and that time is counted as waiting.
"""

from collections import Counter
from typing import Final

from msgspec import Struct

from abops.observability.traces.tree import Tree

WAITING: Final = "waiting"

Stretch = tuple[int, int]


class CriticalPath(Struct, frozen=True):
    """When which node is on the path, and when nobody is."""

    stretches: dict[int, tuple[Stretch, ...]]
    """By the index of the node, in the order of time."""
    waits: tuple[Stretch, ...]

    def share(self, tree: Tree) -> tuple[tuple[str, int], ...]:
        """Return who took how much of the path, the most first: services, systems, waiting."""
        found: Counter[str] = Counter()
        for index, stretches in self.stretches.items():
            span = tree.nodes[index].span
            if span is not None:
                found[span.peer or span.service] += _length(stretches)
        if self.waits:
            found[WAITING] += _length(self.waits)
        return tuple(found.most_common())


def critical_path(tree: Tree) -> CriticalPath:
    """Return the path of a tree."""
    starts, ends = _extents(tree)
    stretches: dict[int, list[Stretch]] = {}
    waits: list[Stretch] = []

    def take(index: int | None, begin: int, end: int) -> None:
        """Count the time from `begin` to `end` for a node, what lies outside of it as waiting."""
        node = None if index is None else tree.nodes[index]
        if index is None or node is None or node.span is None:
            _keep(waits, begin, end)
            return
        _keep(waits, begin, min(end, node.start_ns))
        _keep(stretches.setdefault(index, []), max(begin, node.start_ns), min(end, node.end_ns))
        _keep(waits, max(begin, node.end_ns), end)

    todo: list[tuple[int | None, int]] = [(None, tree.end_ns)]
    while todo:
        index, cursor = todo.pop()
        children = tree.roots if index is None else tree.nodes[index].children
        for child in sorted(children, key=lambda c: (ends[c], starts[c]), reverse=True):
            if ends[child] > cursor or starts[child] >= cursor:
                continue
            take(index, ends[child], cursor)
            todo.append((child, ends[child]))
            cursor = starts[child]
        take(index, tree.start_ns if index is None else starts[index], cursor)
    return CriticalPath(
        {index: tuple(sorted(found)) for index, found in stretches.items() if found},
        tuple(sorted(waits)),
    )


def _keep(stretches: list[Stretch], begin: int, end: int) -> None:
    if begin < end:
        stretches.append((begin, end))


def _extents(tree: Tree) -> tuple[list[int], list[int]]:
    """Return for each node when it and all that it began started and ended."""
    starts = [node.start_ns for node in tree.nodes]
    ends = [node.end_ns for node in tree.nodes]
    for index in range(len(tree.nodes) - 1, -1, -1):
        parent = tree.nodes[index].parent
        if parent is not None:
            starts[parent] = min(starts[parent], starts[index])
            ends[parent] = max(ends[parent], ends[index])
    return starts, ends


def _length(stretches: tuple[Stretch, ...]) -> int:
    return sum(end - begin for begin, end in stretches)
