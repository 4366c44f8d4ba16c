"""Saying in words what follows from a route besides its channels: who is next, what waits."""

from collections.abc import Mapping

from abops.alerts.model import RouteDecision, Routing
from abops.alerts.route.quiet import hours


def levels_in_words(
    routing: Routing, decision: RouteDecision, labels: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the levels by which it escalates. Empty: it does not, or it is not critical."""
    policy = routing.policy(decision.policy)
    if policy is None or labels.get("severity") not in ("critical", "page"):
        return ()
    return tuple(
        f"{level.team} " + (f"after {_time(level.after_s)}" if level.after_s else "at once")
        for level in policy.levels
    )


def timing_in_words(routing: Routing, decision: RouteDecision, labels: Mapping[str, str]) -> str:
    """Return what may keep it from being told at once. Empty: nothing."""
    said = []
    if decision.min_alerts > 1:
        within = _time(decision.within_s)
        said.append(f"once {decision.min_alerts} alerts of it fire, begun within {within}")
    critical = labels.get("severity") in ("critical", "page")
    if critical or decision.urgent:
        return "; ".join(said)
    if decision.digest == "always":
        said.append("in the hourly digest")
    elif decision.digest == "unlikely" and labels.get("severity") == "warning":
        said.append("in the hourly digest when its score says that nobody has to act")
    team = routing.teams[decision.team]
    if team.quiet is not None:
        said.append(f"not in the quiet hours of {team.name}, {hours(team.quiet)} {team.tz}")
    return "; ".join(said)


def _time(seconds: float) -> str:
    if seconds >= 3600:  # noqa: PLR2004 - an hour
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"  # noqa: PLR2004
