"""Writing down how likely it is that somebody has to act on an incident."""

from abops.alerts.service.memory import Memory
from abops.alerts.service.step import Step
from abops.alerts.store.writer import Unit


class Judging:
    """Gives incidents their score; whom it is told to and how does not depend on it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def scored(self, unit: Unit, number: int, value: float, terms: tuple[str, ...]) -> None:
        """Note the score and what it is made of. Pages show it; no channel is told anew."""
        incident = self._memory.open.get(number)
        if incident is None or (incident.score, incident.score_terms) == (value, terms):
            return
        incident.score, incident.score_terms = value, terms
        step = Step(unit)
        step.changed(incident, "scored")
        step.write()
