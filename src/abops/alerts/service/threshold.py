"""Incidents that exist for people only once enough alerts fire.

What counts are the alerts of the incident that fire now, that nothing keeps from people, and that
began within the route's time: one that ended, or that began long ago, speaks for nothing.
"""

from msgspec.structs import replace

from abops.alerts.model import RouteDecision
from abops.alerts.service.memory import Memory
from abops.alerts.store.records import AlertRecord


def enough(
    memory: Memory, number: int | None, record: AlertRecord, decision: RouteDecision, now: float
) -> RouteDecision:
    """Return whom an alert is told to: nobody as long as its incident has too few."""
    if decision.min_alerts <= 1 or not decision.channels:
        return decision
    fire = 1 + sum(
        other.state == "firing"
        and not other.suppressed
        and other.starts_at >= now - decision.within_s
        and other.fingerprint != record.fingerprint
        for other in (memory.of(number) if number is not None else ())
    )
    counted = f"{fire} of {decision.min_alerts} alerts fire, begun within {decision.within_s:.0f} s"
    if fire >= decision.min_alerts:
        return replace(decision, why=f"{decision.why}; {counted}")
    why = f"nobody is told yet: {counted}; {decision.why}"
    return replace(decision, channels=(), pages=frozenset(), why=why)
