"""How the backups stand, asked of Prometheus: the whole in one question.

When Prometheus does not answer, the last answer is shown with its age.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from abops.clients.answers import Answers
from abops.clients.prometheus_queries import PrometheusError, PrometheusQueries
from abops.inventory.backup import Backup
from abops.kernel.clock import Clock
from abops.observability.protection import QUERY, Standing, standings
from abops.workflows.last_good import last_good

FRESH_S: Final = 5.0


class Picture(Struct, frozen=True):
    """Every destination as of a moment; `problem` says why it is not the present one."""

    standings: tuple[Standing, ...]
    at: datetime
    problem: PrometheusError | None = None


class Protection:
    """What Prometheus knows of the backups; enter its client before."""

    def __init__(self, prometheus: PrometheusQueries, clock: Clock) -> None:
        self._prometheus = prometheus
        self._clock = clock
        self._answers: Answers[Picture] = Answers(clock, fresh_s=FRESH_S)

    async def picture(self, backup: Backup) -> Picture:
        """Return how every destination stands. Raises PrometheusError without any answer yet."""

        async def ask() -> Picture:
            now = self._clock.now()
            answer = await self._prometheus.instant(QUERY, now.timestamp())
            samples = [(one.metric, float(one.value[1])) for one in answer if one.value]
            return Picture(standings(backup, samples, now), now)

        return await last_good(self._answers, "picture", ask)
