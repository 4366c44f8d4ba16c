"""Whom an incident wakes next, and when, if nobody takes it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from abops.alerts.escalate.ladder import Ladder
from abops.alerts.escalate.policy import steps
from abops.alerts.model import Routing, ServiceConfig
from abops.alerts.route.oncall import on_call
from abops.alerts.service.duty import TIMER
from abops.alerts.service.vault import Vault
from abops.alerts.store import upcoming as rows
from abops.kernel.clock import moment

_ladder = msgspec.json.Decoder(Ladder)


class Upcoming(Struct, frozen=True):
    """What is due next."""

    at: datetime
    level: int
    """The level that is paged. 0: every one was, the chat is reminded."""
    team: str
    person: str
    """Who of the team is on call then. Empty: nobody by name."""


class Foreseeing:
    """The part of the alert service that looks ahead."""

    config: ServiceConfig
    _vault: Vault

    async def upcoming(self, numbers: Sequence[int]) -> dict[int, Upcoming]:
        """Return what is due next of those of these incidents that nobody has taken."""
        found = await self._vault.read(lambda c: rows.escalations(c, TIMER, numbers))
        return foreseen(self.config.routing, found)


def foreseen(routing: Routing, timers: Iterable[tuple[int, float, str]]) -> dict[int, Upcoming]:
    """Return what each timer will do."""
    found = {}
    for number, due, data in timers:
        ladder = _ladder.decode(data)
        policy = routing.policy(ladder.policy)
        if policy is None or ladder.acked_at is not None:
            continue
        if ladder.step >= steps(policy):
            found[number] = Upcoming(moment(due), 0, "", "")
            continue
        level = ladder.step % len(policy.levels)
        team = routing.teams[policy.levels[level].team]
        person = on_call(team.oncall, moment(due)) if team.oncall else ""
        found[number] = Upcoming(moment(due), level + 1, team.name, person)
    return found
