"""Silences as Alertmanager has to know them, so that it does not page around this service. Pure.

Only what goes past the service is silenced there: the rule DirectPage, whose alerts carry the
name of the one they copy as `origin`. All others have to reach this service, silenced or not.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from msgspec import Struct

from abops.alerts.route.silence import Quiet
from abops.alerts.route.window import openings
from abops.inventory.matchers import Matcher
from abops.kernel.clock import moment

AHEAD: Final = timedelta(hours=24)
"""How long before it opens a window is known there, should this service be away by then."""
DIRECT: Final = "DirectPage"
_NAMING: Final = ("category", "alertname")


class Mirrored(Struct, frozen=True):
    """A silence as it has to stand in Alertmanager."""

    key: str
    """Names it there: which of ours, and which of its openings."""
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    reason: str


def mirrored(known: Iterable[Quiet], now: float) -> dict[str, Mirrored]:
    """Return what has to stand in Alertmanager, by its name there."""
    found: dict[str, Mirrored] = {}
    for quiet in known:
        for start, end in _spans(quiet, now):
            key = f"{quiet.name} {start:.0f}"
            found[key] = Mirrored(key, direct_matchers(quiet.matchers), start, end, quiet.reason)
    return found


def direct_matchers(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """Return matchers that fit the copies of what these fit, and nothing else."""
    given = tuple(matchers)
    direct = [Matcher("alertname", "=", DIRECT)]
    for matcher in given:
        label = "origin" if matcher.label == "alertname" else matcher.label
        direct.append(Matcher(label, matcher.operator, matcher.value))
    if not any(matcher.operator == "=" and matcher.label in _NAMING for matcher in given):
        direct.append(Matcher("category", "!=", "security"))  # silenced only when it is named
    return tuple(direct)


def _spans(quiet: Quiet, now: float) -> list[tuple[float, float]]:
    if quiet.schedule is None:
        return [(quiet.starts_at, quiet.ends_at)] if now < quiet.ends_at else []
    spans = openings(quiet.schedule, moment(now), AHEAD)
    return [(start.timestamp(), end.timestamp()) for start, end in spans]
