"""What a call cost, and what several of them come to; pure."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds of one call: on the wall, of CPU by who was called, of CPU by the servers."""

    wall_s: float
    cpu_s: float
    servers_s: float

    @property
    def all_cpu_s(self) -> float:
        """Return all CPU seconds."""
        return self.cpu_s + self.servers_s


def median_of(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))
