"""Comparing notes with Alertmanager: what is missing here, what is gone there.

What fires there and is not known here is taken in; what fires here and has not been there for
some minutes counts as vanished. What others sent, Alertmanager cannot know.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct

from abops.alerts.model import AlertEvent, ServiceSettings
from abops.alerts.service.watch import gone_there, missing_here, vanished
from abops.clients.alertmanager import ListedAlert
from abops.kernel.clock import Clock, moment
from abops.kernel.errors import OpsError


class NothingToCompareError(OpsError):
    """There is no Alertmanager to compare notes with, or another replica does it."""

    hint = "Start the service with `--alertmanager URL`; of several replicas, ask the leading one."


class Compared(Struct, frozen=True):
    """What a comparison found."""

    listed: int
    """Alerts in Alertmanager's list."""
    firing: int
    """Alerts that fired here."""
    taken_in: int
    """Alerts that were missing here."""
    gone: int
    """Alerts that fire here and are not there; they count as over when that lasts."""
    vanished: int
    """Alerts of these that count as over now."""


class Comparing:
    """Remembers since when an alert is missing there."""

    def __init__(self, settings: ServiceSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._missing: dict[str, float] = {}

    def compare(
        self,
        listed: Collection[ListedAlert],
        firing: Mapping[str, float],
        others: Collection[str],
    ) -> tuple[list[AlertEvent], Compared]:
        """Return what has to be stored; `others` are alerts that are not Alertmanager's."""
        now = self._clock.now()
        gone = gone_there(tuple(listed), dict(firing), self._settings) - set(others)
        self._missing = {f: self._missing.get(f, now.timestamp()) for f in gone}
        latest = now.timestamp() - self._settings.vanished_after_s
        taken = missing_here(tuple(listed), dict(firing), self._settings, now)
        over = [
            vanished(f, moment(firing[f]), now) for f, at in self._missing.items() if at <= latest
        ]
        counts = Compared(
            len(listed), len(firing), len({e.fingerprint for e in taken}), len(gone), len(over)
        )
        return [*taken, *over], counts
