"""How the events of an objective are counted: which series, and which of them are bad.

Bad events are either counted themselves (failed requests), or they are what is left of all events
without the good ones (requests that no bucket up to the threshold holds).
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, Literal

from msgspec import Struct

from abops.inventory.indicators import TIMED, indicator
from abops.inventory.model import Inventory, Objective
from abops.kernel.quantities import format_duration

How = Literal["rate", "increase"]
_OWN_ROUTES: Final = 'http_route!~"/health|/ready|/metrics"'
_ENDED: Final = 'state=~"success|failure|timeout|lost|rejected"'
_FAILED: Final = 'state=~"failure|timeout|lost|rejected"'


class Measure(Struct, frozen=True):
    """The series of one objective.

    `total` are all events, `bad` or `good` a part of them. `alive` is a series whose absence means
    that nothing is measured (for events that may be rare: one that is there from the start).
    """

    events: str
    counted: str
    """What counts, in words."""
    total: tuple[str, ...]
    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    alive: str = ""
    is_gauge: bool = False
    """The series says 1 or 0 at each scrape instead of counting."""
    is_expected: bool = True
    """It is always there; if not, nothing is said until it has been seen once."""
    hurts: str = ""
    """Who is hurt by a bad event."""

    def total_of(self, window: timedelta, how: How) -> str:
        """Return all events of a window, per second or as a number."""
        return self._count(self.total, window, how, "count_over_time")

    def bad_of(self, window: timedelta, how: How) -> str:
        """Return the bad events of a window; absent without a series of bad ones."""
        if self.bad:
            return self._count(self.bad, window, how, "")
        total = self.total_of(window, how)
        return f"clamp_min({total} - {self._count(self.good, window, how, 'sum_over_time')}, 0)"

    def _count(self, series: tuple[str, ...], window: timedelta, how: How, gauge: str) -> str:
        span = format_duration(window)
        function = gauge if self.is_gauge else how
        inside = " or ".join(f"{function}({one}[{span}])" for one in series)
        text = f"sum by (env) ({inside})"
        if self.is_gauge and how == "rate":
            return f"{text} / {window.total_seconds():g}"
        return text


def measure(objective: Objective, inventory: Inventory) -> Measure:
    """Return what an objective of a checked inventory counts."""
    what = indicator(inventory.part(objective.service).kind, objective.sli)
    assert what is not None  # noqa: S101 - the inventory is checked
    is_timed = objective.sli in TIMED
    made = _MADE[what.events, is_timed]
    return made(f'service="{objective.service}"', edge(objective) if is_timed else "")


def edge(objective: Objective) -> str:
    """Return the matcher of the bucket that ends at the threshold.

    Text exposition says `60`, OpenMetrics and Prometheus 3 say `60.0`.
    """
    assert objective.threshold is not None  # noqa: S101 - the inventory is checked
    value = f"{objective.threshold.total_seconds():g}"
    return f'le="{value}"' if "." in value else f'le=~"{value}([.]0)?"'


def _requests(service: str, _le: str) -> Measure:
    count = f"http_server_request_duration_seconds_count{{{service},{_OWN_ROUTES}"
    return Measure(
        events="requests",
        counted="answered requests, without health checks; bad are those answered with 5xx",
        total=(f"{count}}}",),
        bad=(f'{count},http_response_status_code=~"5.."}}',),
        hurts="People and programs that use the API get errors.",
    )


def _fast_requests(service: str, le: str) -> Measure:
    name = "http_server_request_duration_seconds"
    return Measure(
        events="requests",
        counted="answered requests, without health checks; bad are those that took longer",
        total=(f"{name}_count{{{service},{_OWN_ROUTES}}}",),
        good=(f"{name}_bucket{{{service},{_OWN_ROUTES},{le}}}",),
        hurts="People wait for the dashboard.",
    )


def _updates(service: str, _le: str) -> Measure:
    count = f"telegram_bot_update_duration_seconds_count{{{service}"
    return Measure(
        events="updates",
        counted="updates from Telegram; bad are those whose handler failed (blocked: no failure)",
        total=(f"{count}}}",),
        bad=(f'{count},status="error"}}',),
        hurts="People write to the bot and get no answer.",
    )


def _fast_updates(service: str, le: str) -> Measure:
    name = "telegram_bot_update_duration_seconds"
    return Measure(
        events="updates",
        counted="updates from Telegram; bad are those whose handling took longer",
        total=(f"{name}_count{{{service}}}",),
        good=(f"{name}_bucket{{{service},{le}}}",),
        hurts="People wait for the bot's answer.",
    )


def _tasks(service: str, _le: str) -> Measure:
    count = f"celery_task_runtime_seconds_count{{{service}"
    return Measure(
        events="tasks",
        counted="tasks that ended; bad are failed, timed out, lost and rejected ones. A retry is no"
        " end",
        total=(f"{count},{_ENDED}}}",),
        bad=(f"{count},{_FAILED}}}",),
        hurts="Posts, statistics and reports that the tasks make are missing.",
    )


def _waits(service: str, le: str) -> Measure:
    name = "celery_task_queue_wait_seconds"
    return Measure(
        events="tasks",
        counted="tasks that were begun; bad are those that waited longer in their queue",
        total=(f"{name}_count{{{service}}}",),
        good=(f"{name}_bucket{{{service},{le}}}",),
        hurts="Posts and statistics come late.",
    )


def _posts(service: str, le: str) -> Measure:
    name = "analyticbot_post_delay_seconds"
    return Measure(
        events="posts",
        counted="posts that were due and sent, or that failed; bad are late and failed ones",
        total=(
            f"{name}_count{{{service}}}",
            f'analyticbot_posts_total{{{service},result="failed"}}',
        ),
        good=(f"{name}_bucket{{{service},{le}}}",),
        hurts="Channel owners' posts appear late, or not at all.",
    )


def _backups(_service: str, _le: str) -> Measure:
    return Measure(
        events="backups",
        counted="backup runs, those that were missed included; bad are failed ones",
        total=("abops_backup_runs_total",),
        bad=('abops_backup_runs_total{outcome="failed"}',),
        is_expected=False,
        hurts="Data that would be lost with the store grows older.",
    )


def _notifications(_service: str, le: str) -> Measure:
    name = "abops_notification_latency_seconds"
    critical = 'severity="critical"'
    return Measure(
        events="notifications",
        counted="messages about critical incidents, from the alert's start until the channel took"
        " it; bad are those that took longer",
        total=(f"{name}_count{{{critical}}}",),
        good=(f"{name}_bucket{{{critical},{le}}}",),
        alive="abops_notifications_total",
        hurts="Whoever is on call learns of outages late.",
    )


def _probes(service: str, _le: str) -> Measure:
    series = f"probe_success{{{service}}}"
    return Measure(
        events="probes",
        counted="probes from outside; bad are failed ones",
        total=(series,),
        good=(series,),
        is_gauge=True,
        hurts="Nobody reaches the service.",
    )


_MADE: Final[Mapping[tuple[str, bool], Callable[[str, str], Measure]]] = {
    ("requests", False): _requests,
    ("requests", True): _fast_requests,
    ("updates", False): _updates,
    ("updates", True): _fast_updates,
    ("tasks", False): _tasks,
    ("waits", True): _waits,
    ("posts", True): _posts,
    ("backups", False): _backups,
    ("notifications", True): _notifications,
    ("probes", False): _probes,
}
"""What counts the events, without and with a threshold."""
