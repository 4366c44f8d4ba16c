"""What beat sends, where it goes, and how often.

The intervals are AnalyticBot's own. A demonstration cannot wait five minutes for a task, so
`BEAT_INTERVALS="send_scheduled_message=5,update_post_views_task=20"` shortens them by the last
part of the task's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

QUEUES = ("default", "messages", "analytics", "monitoring", "maintenance")


@dataclass(frozen=True, slots=True)
class Periodic:
    """One entry of beat's schedule."""

    task: str
    every_s: float
    queue: str
    priority: int | None = None

    @property
    def name(self) -> str:
        """Return the label `schedule` of its metrics: the last part of the task's name."""
        return self.task.rpartition(".")[2]


PERIODIC = (
    Periodic("bot.tasks.send_scheduled_message", 60, "messages", priority=9),
    Periodic("bot.tasks.update_post_views_task", 300, "analytics"),
    Periodic("bot.tasks.health_check_task", 300, "monitoring"),
    Periodic("bot.tasks.update_prometheus_metrics", 300, "monitoring"),
    Periodic("bot.tasks.cleanup_metrics_task", 3600, "maintenance"),
    Periodic("bot.tasks.maintenance_cleanup", 3600, "maintenance"),
    Periodic("infra.celery.tasks.cleanup_old_data", 86400, "maintenance"),
)
ON_DEMAND = {
    "infra.celery.tasks.send_message_task": "messages",
    "infra.celery.tasks.process_analytics": "analytics",
}

ROUTES: Mapping[str, Mapping[str, str]] = {
    **{entry.task: {"queue": entry.queue} for entry in PERIODIC},
    **{task: {"queue": queue} for task, queue in ON_DEMAND.items()},
}


class ScheduleError(Exception):
    """BEAT_INTERVALS cannot be understood."""


def intervals(overrides: str) -> dict[str, float]:
    """Return seconds by schedule name, with the overrides of BEAT_INTERVALS applied."""
    every = {entry.name: float(entry.every_s) for entry in PERIODIC}
    for part in filter(None, (part.strip() for part in overrides.split(","))):
        name, _, raw = part.partition("=")
        if name not in every:
            raise ScheduleError(f"BEAT_INTERVALS: no schedule {name!r}; known: {', '.join(every)}")
        try:
            seconds = float(raw)
        except ValueError as error:
            raise ScheduleError(f"BEAT_INTERVALS: {name}: {raw!r} is not a number") from error
        if not seconds >= 1:
            raise ScheduleError(f"BEAT_INTERVALS: {name}: {raw} is less than one second")
        every[name] = seconds
    return every


def beat_schedule(overrides: str) -> dict[str, dict[str, object]]:
    """Return the schedule in Celery's form."""
    every = intervals(overrides)
    return {
        entry.name: {
            "task": entry.task,
            "schedule": every[entry.name],
            "options": {
                "queue": entry.queue,
                **({} if entry.priority is None else {"priority": entry.priority}),
                # A tick that nobody took before the next one is worthless; when the worker
                # comes back it must not find a thousand of them.
                "expires": max(every[entry.name], 10.0),
            },
        }
        for entry in PERIODIC
    }
