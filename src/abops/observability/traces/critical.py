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

from abops.observability.traces.tree import Node, Tree

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
    ends = _ends(tree)
    stretches: dict[int, list[Stretch]] = {}
    waits: list[Stretch] = []

    def take(index: int | None, begin: int, end: int) -> None:
        """Count the time from `begin` to `end` for a node, what lies outside of it as waiting."""
        if begin >= end:
            return
        node = None if index is None else tree.nodes[index]
        if index is None or node is None or node.span is None:
            waits.append((begin, end))
            return
        worked = max(begin, node.start_ns), min(end, node.end_ns)
        if worked[0] < worked[1]:
            stretches.setdefault(index, []).append(worked)
        if end > max(node.end_ns, begin):
            waits.append((max(node.end_ns, begin), end))

    todo: list[tuple[int | None, int]] = [(None, tree.end_ns)]
    while todo:
        index, cursor = todo.pop()
        children = tree.roots if index is None else tree.nodes[index].children
        begin = tree.start_ns if index is None else tree.nodes[index].start_ns
        for child in sorted(
            children, key=lambda c: (ends[c], tree.nodes[c].start_ns), reverse=True
        ):
            if ends[child] > cursor or tree.nodes[child].start_ns >= cursor:
                continue
            take(index, ends[child], cursor)
            todo.append((child, ends[child]))
            cursor = tree.nodes[child].start_ns
        take(index, begin, cursor)
    return CriticalPath(
        {index: tuple(sorted(found)) for index, found in stretches.items()}, tuple(sorted(waits))
    )


def _ends(tree: Tree) -> list[int]:
    """Return for each node when it and all that it began had ended."""
    ends = [node.end_ns for node in tree.nodes]
    for index in range(len(tree.nodes) - 1, -1, -1):
        parent = _parent(tree.nodes[index])
        if parent >= 0:
            ends[parent] = max(ends[parent], ends[index])
    return ends


def _parent(node: Node) -> int:
    return -1 if node.parent is None else node.parent


def _length(stretches: tuple[Stretch, ...]) -> int:
    return sum(end - begin for begin, end in stretches)
