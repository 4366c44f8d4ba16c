"""How near two alerts stand: the same workload, one calling the other, on the same machine."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

SAME: Final = 1.0
OWNER: Final = 0.8
CALL: Final = 0.6
NODE: Final = 0.4
TWO_HOPS: Final = 0.3
LIVES_S: Final = 86_400.0
"""Seconds an edge counts after it was last confirmed."""


class Place(Struct, frozen=True):
    """Where an alert stands. Empty: not said."""

    env: str
    service: str
    component: str = ""
    """The part that it speaks of, when that is another one than its service."""
    node: str = ""


class Nearness(Struct, frozen=True):
    """How near two places are, 0 to 1, and why in words."""

    value: float
    why: str


class Topology:
    """Who calls whom: what is configured for good, what was seen for a day."""

    def __init__(self, calls: Iterable[tuple[str, str]] = ()) -> None:
        self._calls: dict[tuple[str, str], float | None] = dict.fromkeys(calls)
        self._beside: dict[str, set[str]] = defaultdict(set)
        for caller, callee in self._calls:
            self._link(caller, callee)

    def saw(self, caller: str, callee: str, at: float) -> None:
        """Note a call that was seen; it counts for a day."""
        if self._calls.get((caller, callee), 0.0) is not None:
            self._calls[caller, callee] = at + LIVES_S
            self._link(caller, callee)

    def forget(self, now: float) -> None:
        """Drop what nothing has confirmed for a day."""
        kept = {call: until for call, until in self._calls.items() if until is None or until >= now}
        if len(kept) != len(self._calls):
            self._calls = kept
            self._beside = defaultdict(set)
            for caller, callee in kept:
                self._link(caller, callee)

    def around(self, service: str) -> frozenset[str]:
        """Return the services within two hops, without itself."""
        near = self._beside.get(service, set())
        further = {two for one in near for two in self._beside[one]}
        return frozenset(near | further) - {service}

    def between(self, a: Place, b: Place) -> Nearness:
        """Return how near two places are; places of two environments are not near."""
        if a.env != b.env:
            return Nearness(0.0, "")
        if a.service == b.service:
            return Nearness(SAME, f"same service {a.service}")
        if b.component == a.service or a.component in {b.service, b.component} - {""}:
            return Nearness(OWNER, f"both speak of {a.component or b.component}")
        found = self._by_calls(a.service, b.service)
        if a.node and a.node == b.node and found.value < NODE:
            return Nearness(NODE, f"same machine {a.node}")
        return found

    def _by_calls(self, a: str, b: str) -> Nearness:
        if (a, b) in self._calls:
            return Nearness(CALL, f"{a} calls {b}")
        if (b, a) in self._calls:
            return Nearness(CALL, f"{b} calls {a}")
        shared = self._beside.get(a, set()) & self._beside.get(b, set())
        if shared:
            return Nearness(TWO_HOPS, f"{a} and {b} both touch {min(shared)}")
        return Nearness(0.0, "")

    def _link(self, caller: str, callee: str) -> None:
        self._beside[caller].add(callee)
        self._beside[callee].add(caller)
