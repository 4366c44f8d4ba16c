"""Writing down how likely it is that somebody has to act on an incident, and what follows.

A low score makes a line of the hourly digest of a warning that nobody has heard of yet, where its
route allows that. It never touches what is critical, and whom anything is told to.
"""

from typing import Final

from abops.alerts.score.model import Score
from abops.alerts.score.urgency import urgency
from abops.alerts.service.memory import Memory
from abops.alerts.service.step import Step
from abops.alerts.service.telling import Telling
from abops.alerts.store.records import TimelineRow
from abops.alerts.store.writer import Unit

WAIT_S: Final = 2.0
"""Seconds a warning waits for its score, where the score may decide how it is told."""


class Judging:
    """Gives incidents their score; whom it is told to does not depend on it."""

    def __init__(self, memory: Memory, telling: Telling) -> None:
        self._memory = memory
        self._telling = telling
        self._learned = False

    def load(self) -> None:
        """See whether there are scores; without any there is nothing to wait for."""
        self._learned = any(one.score is not None for one in self._memory.open.values())

    @property
    def hold_s(self) -> float:
        """How long a warning waits for its score."""
        return WAIT_S if self._learned else 0.0

    def scored(self, unit: Unit, number: int, value: float, terms: tuple[str, ...]) -> None:
        """Note the score and what it is made of. Pages show it; who was told is not told anew."""
        self._learned = True
        incident = self._memory.open.get(number)
        if incident is None or (incident.score, incident.score_terms) == (value, terms):
            return
        incident.score, incident.score_terms = value, terms
        step = Step(unit)
        step.changed(incident, "scored")
        found = urgency(Score(value, terms), incident.severity)
        waits = number in self._telling.judged and number not in self._telling.urgent
        if found.level == "digest" and waits and self._telling.digest_later(step, incident):
            text = f"told in the hourly digest: {found.why}"
            step.note(TimelineRow(number, unit.now, "note", text))
        step.write()
