"""Beat: when each schedule last ticked, and how often it should.

The alert compares the two; a beat that runs but sends nothing is as dead as one that is gone.
"""

from collections.abc import Callable
from time import monotonic, time_ns
from typing import Any

from prometheus_client import CollectorRegistry

from abops_instrument.series import families
from abops_instrument.server import start_metrics_server
from abops_instrument.work import working


def connect(
    listen: Callable[[str, Callable[..., None]], None],
    address: tuple[str, int | None],
    registry: CollectorRegistry,
) -> None:
    """Measure the schedules of this beat process; without a port nothing is served."""
    host, port = address

    def on_init(sender: Any, **_: object) -> None:  # noqa: ANN401 - Celery's beat Service
        watch = BeatWatch(sender.scheduler, registry)
        if port is not None:
            start_metrics_server(port, host=host, health=watch.is_ticking, registry=registry)

    listen("beat_init", on_init)


class BeatWatch:
    """Stands around a scheduler's `tick` and `apply_async`."""

    def __init__(self, scheduler: Any, registry: CollectorRegistry) -> None:  # noqa: ANN401
        made = families(registry)
        self._last = made.gauge(
            "celery_beat_last_tick_timestamp_seconds",
            "When a schedule last sent its task; beat's start before the first.",
            ("schedule",),
            across_processes="max",
        )
        self._interval = made.gauge(
            "celery_beat_interval_seconds",
            "Seconds between two ticks of a schedule; absent for a crontab.",
            ("schedule",),
            across_processes="max",
        )
        self._longest_pause_s = float(scheduler.max_interval) + 30
        self._ticked_at = monotonic()
        for entry in scheduler.schedule.values():
            self._note(entry)
        self._tick, scheduler.tick = scheduler.tick, self.tick
        self._apply, scheduler.apply_async = scheduler.apply_async, self.apply_async

    def is_ticking(self) -> bool:
        """Say if the scheduler's loop still runs."""
        return monotonic() - self._ticked_at < self._longest_pause_s

    def tick(self, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - passed through
        """Run one pass of the scheduler."""
        self._ticked_at = monotonic()
        return self._tick(*args, **kwargs)

    def apply_async(self, entry: Any, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
        """Send one entry's task; only a sending that worked counts as a tick."""
        with working(f"tick {entry.name}", attributes={"celery.task": entry.task}):
            result = self._apply(entry, *args, **kwargs)
        self._note(entry)
        return result

    def _note(self, entry: Any) -> None:  # noqa: ANN401 - Celery's ScheduleEntry
        self._last.labels(entry.name).set(time_ns() / 1e9)
        every = getattr(entry.schedule, "run_every", None)
        if every is not None:
            self._interval.labels(entry.name).set(every.total_seconds())
