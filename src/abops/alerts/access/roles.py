"""What each role and each kind of token may do, as one table.

A role may do everything that the roles before it may. A token has one scope and no more: who
steals the one that sends alerts cannot read them.
"""

from typing import Final, Literal, TypeAlias

Role: TypeAlias = Literal["viewer", "responder", "operator", "admin"]
Ability: TypeAlias = Literal["read", "respond", "operate", "administer", "ingest"]

ROLES: Final[tuple[Role, ...]] = ("viewer", "responder", "operator", "admin")
MEANING: Final[dict[Role, str]] = {
    "viewer": "sees everything, changes nothing",
    "responder": "acknowledges, notes, assigns, silences for up to 8 h",
    "operator": "also maintenance windows, merging and splitting incidents",
    "admin": "also people, tokens and the audit log",
}
_OWN: Final[dict[Role, Ability]] = {
    "viewer": "read",
    "responder": "respond",
    "operator": "operate",
    "admin": "administer",
}
SCOPES: Final[dict[str, frozenset[Ability]]] = {
    "ingest": frozenset({"ingest"}),
    "read": frozenset({"read"}),
    "respond": frozenset({"read", "respond", "operate"}),
}
"""What a token of a program may do. Who acts on incidents may also put them in order; people and
tokens are nothing that a program changes."""


def abilities_of(role: str) -> frozenset[Ability]:
    """Return what people of this role may do; a role that does not exist may do nothing."""
    known = [name for name in ROLES if name == role]
    if not known:
        return frozenset()
    return frozenset(_OWN[name] for name in ROLES[: ROLES.index(known[0]) + 1])


def role_for(ability: Ability) -> str:
    """Return the least role that may do it, for the sentence that refuses somebody."""
    return next((name for name in ROLES if _OWN[name] == ability), "no role")
