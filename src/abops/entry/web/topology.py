"""The picture of an incident: the parts it touches, who calls whom, the way to the suspect.

Callers stand left of what they call. Shown are the parts that alert or are suspected and their
direct neighbours; what does not fit is counted, not squeezed in. The positions are decided
here, the page only draws them.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

from abops.alerts.model import SEVERITIES, IncidentDetail, Severity

NODES_AT_MOST: Final = 40
WIDTH: Final = 132
HEIGHT: Final = 40
ACROSS: Final = 184
DOWN: Final = 56
MARGIN: Final = 8
NAME_AT_MOST: Final = 17


class Node(Struct, frozen=True):
    """A part, where it stands, and how it is."""

    name: str
    label: str
    x: int
    y: int
    severity: Severity | None
    """The worst of its firing alerts. None: none fires."""
    alerts: int
    suspect: bool
    on_path: bool

    @property
    def says(self) -> str:
        """What the node says to whoever cannot see it."""
        told = f"{self.alerts} firing, {self.severity}" if self.severity else "no alert fires"
        return f"{self.name}: {told}" + (", likely cause" if self.suspect else "")


class Link(Struct, frozen=True):
    """A call, as a curve between two parts."""

    path: str
    says: str
    on_path: bool


class Picture(Struct, frozen=True):
    """What the page draws."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    width: int
    height: int
    folded: int
    """Parts that were left out for want of room."""


def picture_of(detail: IncidentDetail, calls: Sequence[tuple[str, str]]) -> Picture | None:
    """Return the picture of an incident. None: there is nothing to see but one part."""
    alerting = _alerting(detail)
    suspect = detail.causes[0].entity if detail.causes else ""
    chosen, folded = _chosen([*alerting, *([suspect] if suspect else [])], calls)
    links = [(a, b) for a, b in dict.fromkeys(calls) if a in chosen and b in chosen]
    if not links:
        return None
    steps = {step for name in alerting for step in pairwise(_path(name, suspect, links))}
    path = {name for step in steps for name in step}
    places = _places(chosen, links)
    nodes = tuple(_node(name, places[name], alerting, suspect, path) for name in chosen)
    return Picture(
        nodes=nodes,
        links=tuple(_link(a, b, places, on_path=(a, b) in steps) for a, b in links),
        width=max(x for x, _ in places.values()) + WIDTH + MARGIN,
        height=max(y for _, y in places.values()) + HEIGHT + MARGIN,
        folded=folded,
    )


def _alerting(detail: IncidentDetail) -> dict[str, tuple[Severity, int]]:
    found: dict[str, tuple[Severity, int]] = {}
    for member in detail.members:
        alert = member.alert
        if alert.state == "firing":
            severity, count = found.get(alert.service, (alert.severity, 0))
            worst = min(severity, alert.severity, key=SEVERITIES.index)
            found[alert.service] = (worst, count + 1)
    return found


def _chosen(first: Iterable[str], calls: Iterable[tuple[str, str]]) -> tuple[dict[str, None], int]:
    chosen = dict.fromkeys(first)
    beside = {b if a in chosen else a for a, b in calls if (a in chosen) != (b in chosen)}
    wanted = [*chosen, *sorted(beside)]
    return dict.fromkeys(wanted[:NODES_AT_MOST]), max(len(wanted) - NODES_AT_MOST, 0)


def _path(start: str, end: str, links: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the shortest way along the calls; empty when there is none or it is one part."""
    callees = defaultdict(list)
    for caller, callee in links:
        callees[caller].append(callee)
    before: dict[str, str] = {start: ""}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for callee in callees[here]:
            if callee not in before:
                before[callee] = here
                waiting.append(callee)
    if end not in before or end == start:
        return ()
    way = [end]
    while before[way[-1]]:
        way.append(before[way[-1]])
    return tuple(reversed(way))


def _places(names: Iterable[str], links: Sequence[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Put each part right of its callers; a circle of calls is cut where it closes."""
    layer = dict.fromkeys(names, 0)
    for _ in range(len(layer)):
        moved = False
        for caller, callee in links:
            if layer[caller] + 1 > layer[callee] and layer[caller] + 1 < len(layer):
                layer[callee] = layer[caller] + 1
                moved = True
        if not moved:
            break
    ranks = {rank: n for n, rank in enumerate(sorted(set(layer.values())))}
    filled: dict[int, int] = defaultdict(int)
    places = {}
    for name in sorted(layer, key=lambda name: (layer[name], name)):
        column = ranks[layer[name]]
        places[name] = (MARGIN + column * ACROSS, MARGIN + filled[column] * DOWN)
        filled[column] += 1
    return places


def _node(
    name: str,
    place: tuple[int, int],
    alerting: Mapping[str, tuple[Severity, int]],
    suspect: str,
    path: Collection[str],
) -> Node:
    severity, count = alerting.get(name, (None, 0))
    label = name if len(name) <= NAME_AT_MOST else f"{name[:8]}…{name[-8:]}"
    return Node(name, label, *place, severity, count, name == suspect, name in path)


def _link(
    caller: str, callee: str, places: Mapping[str, tuple[int, int]], *, on_path: bool
) -> Link:
    (x1, y1), (x2, y2) = places[caller], places[callee]
    start, end = (x1 + WIDTH, y1 + HEIGHT // 2), (x2, y2 + HEIGHT // 2)
    bend = max((end[0] - start[0]) // 2, 24)
    path = (
        f"M{start[0]} {start[1]}C{start[0] + bend} {start[1]} {end[0] - bend} {end[1]}"
        f" {end[0]} {end[1]}"
    )
    return Link(path, f"{caller} calls {callee}", on_path)
