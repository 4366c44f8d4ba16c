"""Which incident an alert belongs to.

One incident per service, environment and time window: an alert joins the incident of its service
when that is open and its last alert is not longer ago than the window. An alert that comes back
joins the incident it was in, as long as that is open. Nothing joins a resolved incident.
"""

from datetime import datetime, timedelta

from msgspec import Struct


class Candidate(Struct, frozen=True):
    """An unresolved incident an alert could join."""

    number: int
    last_alert_at: datetime


class Assignment(Struct, frozen=True):
    """Where an alert goes and why. No number: a new incident opens."""

    number: int | None
    reason: str


def assign(
    *, own: Candidate | None, of_service: Candidate | None, window: timedelta, now: datetime
) -> Assignment:
    """Decide for one alert: `own` is the unresolved incident it was in, if there is one."""
    if own is not None:
        return Assignment(own.number, "it was in this incident before")
    if of_service is None:
        return Assignment(None, "first alert of its service")
    gap = now - of_service.last_alert_at
    if gap <= window:
        seconds = max(gap.total_seconds(), 0)
        return Assignment(of_service.number, f"same service, {seconds:.0f} s after its last alert")
    return Assignment(None, f"the service's last alert is {gap.total_seconds() / 60:.0f} min ago")
