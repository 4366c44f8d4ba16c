"""Making one incident of two, and two of one.

The older incident stays. What the younger one told is ended where it was told, with the number
of the other; who is told only by the younger one hears of the older. The earliest page counts:
an escalation does not start anew because two incidents became one.
"""

from collections.abc import Sequence

from abops.alerts.model import SEVERITIES
from abops.alerts.store.records import AlertRecord, IncidentRecord


def absorb(target: IncidentRecord, source: IncidentRecord, now: float) -> bool:
    """Take the alerts of `source` over; return whether the target got more severe by it."""
    rises = SEVERITIES.index(source.severity) < SEVERITIES.index(target.severity)
    if rises:
        target.severity, target.title, target.team = source.severity, source.title, source.team
        target.service = source.service
        target.runbook_url, target.description = source.runbook_url, source.description
        target.state, target.acked_at, target.acked_by = "open", None, ""
    target.alerts += source.alerts
    target.firing += source.firing
    target.started_at = min(target.started_at, source.started_at)
    target.updated_at = now
    if target.firing > 0:
        target.quiet_since = None
    pages = [at for at in (target.paged_at, source.paged_at) if at is not None]
    target.paged_at = min(pages, default=None)
    target.level = max(target.level, source.level)
    source.state, source.resolved_at, source.merged_into = "resolved", now, target.number
    source.firing = 0
    return rises


def detach(
    source: IncidentRecord, moved: Sequence[AlertRecord], number: int, now: float
) -> IncidentRecord:
    """Return a new incident of these alerts, which leave `source`."""
    firing = sum(record.state == "firing" for record in moved)
    worst = min((record.severity for record in moved), key=SEVERITIES.index)
    source.alerts -= len(moved)
    source.firing -= firing
    source.updated_at = now
    if source.firing <= 0 and source.quiet_since is None:
        source.quiet_since = now
    first = min(moved, key=lambda record: record.starts_at)
    return IncidentRecord(
        number=number,
        title=first.kind or f"alerts of {first.service}",
        state="open",
        severity=worst,
        service=first.service,
        env=first.env,
        team=source.team,
        opened_at=now,
        updated_at=now,
        started_at=first.starts_at,
        quiet_since=None if firing else now,
        alerts=len(moved),
        firing=firing,
        description=f"split from INC-{source.number}",
    )
