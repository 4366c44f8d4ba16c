"""Beat's scheduler, which a fault switch can silence.

The schedule is kept in a file: without it a restart would begin the day's cleanup anew, and a
bot that is deployed daily would never clean up.
"""

from typing import Any

from celery.beat import PersistentScheduler

from apps.faults import switches

LOOK_AGAIN_S = 1.0


class SwitchedScheduler(PersistentScheduler):
    """Celery's own scheduler, unless `beat_stop` is on."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Run one pass and return the seconds until the next."""
        if switches().active("beat_stop") is not None:
            return LOOK_AGAIN_S
        return float(super().tick(*args, **kwargs))
