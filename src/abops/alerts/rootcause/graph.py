"""Who calls whom, and in which order to go through it.

Callers come before what they call. A circle of calls has no such order: it is entered where it
is nearest to the start, and the call that closes it is not followed.
"""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from abops.alerts.rootcause.model import Edge, Relation


class Graph(Struct, frozen=True):
    """The edges by relation, ready to be asked."""

    calls: dict[str, tuple[str, ...]]
    members: dict[str, tuple[str, ...]]
    """Instances by service."""
    nodes: frozenset[str]
    """Machines: whatever something runs on."""

    @classmethod
    def of(cls, edges: Iterable[Edge]) -> "Graph":
        """Sort the edges by what they say."""
        unique = dict.fromkeys(edges)
        hosts = frozenset(edge.target for edge in unique if edge.relation == "hosted_on")
        members = _by(unique, "instance_of", of_target=True)
        return cls(_by(unique, "calls", of_target=False), members, hosts)

    def below(self, starts: Iterable[str]) -> dict[str, int]:
        """Return what the starts reach by calls, with the number of calls it takes."""
        depth = dict.fromkeys(starts, 0)
        queue = deque(depth)
        while queue:
            part = queue.popleft()
            for callee in self.calls.get(part, ()):
                if callee not in depth:
                    depth[callee] = depth[part] + 1
                    queue.append(callee)
        return depth

    def order(self, starts: Iterable[str]) -> list[str]:
        """Return what the starts reach, callers first."""
        depth = self.below(starts)
        waits = dict.fromkeys(depth, 0)
        for part in depth:
            for callee in self.calls.get(part, ()):
                waits[callee] += 1
        ready = deque(part for part, callers in waits.items() if callers == 0)
        ordered: list[str] = []
        while waits:
            part = ready.popleft() if ready else min(waits, key=depth.__getitem__)
            del waits[part]
            ordered.append(part)
            for callee in self.calls.get(part, ()):
                if callee in waits:
                    waits[callee] -= 1
                    if waits[callee] == 0:
                        ready.append(callee)
        return ordered


def _by(
    edges: Iterable[Edge], relation: Relation, *, of_target: bool
) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for edge in edges:
        if edge.relation == relation and edge.source != edge.target:
            key, value = (edge.target, edge.source) if of_target else (edge.source, edge.target)
            found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}
