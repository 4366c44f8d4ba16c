"""Whether those who are on call could act if they were paged: pure, from rotas and accounts.

Being on the rota is a name in the inventory; acting takes an account here of that name, a role
that may respond, and, to press a button in a chat, a linked account there.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from abops.alerts.access.person import Person
from abops.alerts.access.roles import abilities_of
from abops.alerts.model import ChannelType, Routing, Team

VIAS: Final[tuple[ChannelType, ...]] = ("slack", "telegram", "pagerduty")
"""Providers whose buttons count as somebody's."""
NAMES: Final[Mapping[ChannelType, str]] = {
    "slack": "Slack",
    "telegram": "Telegram",
    "pagerduty": "PagerDuty",
    "email": "e-mail",
}
Standing = Literal["responds", "reads", "invited", "shut out", "nobody"]


class Member(Struct, frozen=True):
    """Somebody of the rotas."""

    name: str
    teams: tuple[str, ...]
    channels: tuple[str, ...]
    """By which channels they are told: their teams' page, chat and fallback."""
    role: str
    standing: Standing
    linked: Mapping[ChannelType, bool | None]
    """By provider: whether their account is linked. None: none of their channels is one of it."""
    on_call: bool

    @property
    def can_act(self) -> bool:
        """Whether they may acknowledge at all."""
        return self.standing == "responds"

    @property
    def unlinked(self) -> tuple[ChannelType, ...]:
        """Providers of their channels where a button they press is refused."""
        return tuple(via for via, linked in self.linked.items() if linked is False)


class Accounts(Struct, frozen=True):
    """What is known of people beside the rotas."""

    people: tuple[Person, ...] = ()
    chats: Mapping[str, Mapping[str, str]] = {}
    """Their accounts in the chats: by name, then by provider."""
    vouched: bool = False
    """Whether a proxy signs people in, so that nobody needs a password here."""


def members_of(routing: Routing, accounts: Accounts, on_call: Iterable[str]) -> tuple[Member, ...]:
    """Return everybody of the rotas: who is on call first, then by name."""
    now = set(on_call)
    teams: dict[str, list[Team]] = {}
    for team in routing.teams.values():
        for name in dict.fromkeys(team.oncall.members if team.oncall else ()):
            teams.setdefault(name, []).append(team)
    found = [
        _member(routing, name, of, accounts, on_call=name in now) for name, of in teams.items()
    ]
    return tuple(sorted(found, key=lambda member: (not member.on_call, member.name)))


def _member(
    routing: Routing, name: str, teams: Iterable[Team], accounts: Accounts, *, on_call: bool
) -> Member:
    teams = tuple(teams)
    told = [name for team in teams for name in (team.page, team.chat, *team.fallback)]
    types = {routing.channels[channel].type for channel in told}
    chats = accounts.chats.get(name, {})
    person = next((one for one in accounts.people if one.name == name), None)
    enters = accounts.vouched or bool(chats)
    return Member(
        name=name,
        teams=tuple(team.name for team in teams),
        channels=tuple(dict.fromkeys(told)),
        role=person.role if person else "",
        standing=_standing(person, enters=enters),
        linked={via: bool(chats.get(via)) if via in types else None for via in VIAS},
        on_call=on_call,
    )


def _standing(person: Person | None, *, enters: bool) -> Standing:
    """Say what somebody may do; who `enters` needs no password."""
    if person is None:
        return "nobody"
    if person.disabled_at is not None:
        return "shut out"
    if not (person.has_password or enters):
        return "invited"
    return "responds" if "respond" in abilities_of(person.role) else "reads"
