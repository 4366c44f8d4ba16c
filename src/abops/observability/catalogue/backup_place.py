"""What all alerts about backups share: where they belong, and the commands of their runbooks."""

from datetime import timedelta
from typing import Final

from msgspec import Struct

from abops.kernel.quantities import format_duration
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, around, labelled
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.histories import since
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import duration

GROUP: Final = "backup"
BOARD: Final = "backups"
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
# Limits that the alerts and the console share.
BACKUP_AGE: Final = 26 * HOUR
FULL_AGE: Final = 8 * DAY
DRILL_AGE: Final = 8 * DAY
CONFIG_AGE: Final = 26 * HOUR
OWED_AGE: Final = timedelta(minutes=15)
KEY_AGE_DAYS: Final = 335
EU: Final = {"env": "local", "dest": "eu"}

LOOK: Final = shell(
    "abops backup list                  # what there is, by destination",
    "abops backup doctor                # reach it, write, read, clock, certificate",
    "abops backup status                # how fresh each destination is, and its last run",
)


class Age(Struct, frozen=True):
    """Something of a destination that must not be too long ago.

    `which` are the matchers of `metric`, a time stamp. `summary` names `dest` and the value.
    """

    name: str
    metric: str
    limit: timedelta
    reason: str
    summary: str
    impact: str
    runbook: Runbook
    which: str = ""
    instance: str = ""

    def alert(self, where: Place, *more: Case) -> Alert:
        """Return the page about it, with the cases around its limit and `more`."""
        limit = self.limit.total_seconds()
        return Alert(
            name=self.name,
            instance=self.instance,
            group=GROUP,
            severity="critical",
            expr=f"time() - max by (env, dest) ({self.metric}{self.which}) > {{threshold}}",
            threshold=limit,
            unit=f"s ({format_duration(self.limit)}) ago",
            reason=self.reason,
            summary=self.summary,
            impact=self.impact,
            labels=where.own_labels("backup", "durability"),
            board=BOARD,
            runbook=self.runbook,
            cases=(*around(limit, self._history, self._fired), *more),
        )

    def _fired(self, age: float) -> Fired:
        filled = self.summary.replace("{{ $labels.dest }}", "eu")
        return Fired(EU, filled.replace("{{ $value | humanizeDuration }}", duration(age)))

    def _history(self, age: float) -> dict[str, str]:
        labels = EU | ({"type": "full"} if self.which else {})
        return labelled(self.metric, since(age, STEP), labels)
