"""What one load of a board cost, and whether that is within the limits."""

from typing import Final

from msgspec import Struct

WALL_S: Final = 2.0
CPU_S: Final = 0.6
PARALLEL: Final = 6
"""Queries at once: what a browser sends to one host."""


class PanelLoad(Struct, frozen=True):
    """One panel: how long its queries took together, and whether one had an answer.

    `may_be_empty`: the panel says in its own words why it may have no data.
    """

    title: str
    seconds: float
    series: int
    may_be_empty: bool
    error: str = ""


class BoardLoad(Struct, frozen=True):
    """One load of a board: seconds until its last answer, Prometheus' CPU seconds."""

    uid: str
    wall_s: float
    cpu_s: float
    panels: tuple[PanelLoad, ...]
    raw_wall_s: float | None = None
    raw_cpu_s: float | None = None
    raw_failed: int = 0
    """Panels that Prometheus did not answer without recorded series."""

    @property
    def has_series(self) -> bool:
        """Tell whether anything was shown: what is quick and empty has proved nothing."""
        return any(panel.series for panel in self.panels)

    @property
    def times_less(self) -> float | None:
        """Return how many times the CPU of this load the same board costs without recordings."""
        return None if self.raw_cpu_s is None or not self.cpu_s else self.raw_cpu_s / self.cpu_s


def complaints(load: BoardLoad) -> tuple[str, ...]:
    """Return what is wrong with a load; nothing when it passes."""
    found = []
    if load.wall_s >= WALL_S:
        found.append(f"{load.wall_s:.2f} s, the limit is {WALL_S:g} s")
    if load.cpu_s >= CPU_S:
        found.append(f"{load.cpu_s:.2f} CPU-s, the limit is {CPU_S:g}")
    found += [f"{panel.title}: {panel.error}" for panel in load.panels if panel.error]
    found += [
        f"{panel.title}: no data"
        for panel in load.panels
        if not panel.series and not panel.may_be_empty and not panel.error
    ]
    return tuple(found)
