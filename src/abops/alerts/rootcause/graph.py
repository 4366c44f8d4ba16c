"""Who calls whom, and in which order to go through it.

Callers come before what they call. A circle of calls has no such order: it is entered where it
is nearest to the start, then at its weakest part, and the call that closes it is not followed.
"""

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping

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

    def among(self, loud: Container[str]) -> "Graph":
        """Return the calls between these parts only; silent ones join or part nobody."""
        calls = {
            caller: tuple(callee for callee in callees if callee in loud)
            for caller, callees in self.calls.items()
            if caller in loud
        }
        return Graph(calls, self.members, self.nodes)

    def downwards(
        self, starts: Iterable[str], weight: Mapping[str, float]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what the starts reach, callers first, with the callees that are still to come."""
        ordered = self.order(starts, weight)
        place = {part: position for position, part in enumerate(ordered)}
        for part in ordered:
            yield part, tuple(c for c in self.calls.get(part, ()) if place[c] > place[part])

    def order(self, starts: Iterable[str], weight: Mapping[str, float]) -> list[str]:
        """Return what the starts reach, callers first; `weight` tells the weakest in a circle."""
        depth = self.below(starts)

        def entered(part: str) -> tuple[int, float]:
            return depth[part], weight.get(part, 0.0)

        waits = dict.fromkeys(depth, 0)
        for part in depth:
            for callee in self.calls.get(part, ()):
                waits[callee] += 1
        ready = deque(part for part, callers in waits.items() if callers == 0)
        ordered: list[str] = []
        while waits:
            part = ready.popleft() if ready else min(waits, key=entered)
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
