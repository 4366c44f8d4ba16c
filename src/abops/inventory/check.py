"""What only the whole shows: references that lead nowhere, names and ports used twice.

Each finding names its place as a path of keys and positions; `load` turns that into a line.
"""

import difflib
from collections.abc import Iterable, Iterator

import msgspec

from abops.inventory.model import Inventory

Place = tuple[str | int, ...]
ROLES = ("page", "chat")


class Finding(msgspec.Struct, frozen=True):
    """One mistake: where, what, and what to do."""

    place: Place
    message: str
    hint: str


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names what was probably meant, or all that is known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(names)}." if names else "Nothing of that kind is defined."


def findings(inventory: Inventory) -> list[Finding]:
    """Return every dangling reference and every duplicate, in the file's order."""
    return [
        *_duplicates(inventory),
        *_part_references(inventory),
        *_optional_references(inventory),
        *_queue_references(inventory),
        *_backup_references(inventory),
        *_alert_references(inventory),
    ]


def _groups(inventory: Inventory) -> Iterator[tuple[str, int, str, int]]:
    for group in ("services", "stores", "platform"):
        for index, part in enumerate(getattr(inventory, group)):
            yield group, index, part.name, part.port


def _duplicates(inventory: Inventory) -> Iterator[Finding]:
    names: dict[str, str] = {}
    ports: dict[int, str] = {}
    for group, index, name, port in _groups(inventory):
        if name in names:
            yield Finding(
                (group, index, "name"),
                f"{name!r} is already the name of a part in {names[name]}",
                "Names are unique across services, stores and platform.",
            )
        names.setdefault(name, group)
        if port in ports:
            yield Finding(
                (group, index, "port"),
                f"port {port} is already the port of {ports[port]!r}",
                "Give each part a port of its own.",
            )
        ports.setdefault(port, name)
    seen: set[str] = set()
    for index, queue in enumerate(inventory.queues):
        if queue.name in seen:
            yield Finding(
                ("queues", index, "name"), f"queue {queue.name!r} is there twice", "Remove one."
            )
        seen.add(queue.name)


def _part_references(inventory: Inventory) -> Iterator[Finding]:
    parts = {part.name for part in inventory.parts}
    platform = {part.name for part in inventory.platform}
    for group, index, name, _port in _groups(inventory):
        part = getattr(inventory, group)[index]
        if part.team not in inventory.alerts.teams:
            yield Finding(
                (group, index, "team"),
                f"{name!r} belongs to team {part.team!r}, which alerts.teams does not have",
                nearest(part.team, inventory.alerts.teams),
            )
        for position, target in enumerate(part.depends_on):
            if target not in parts:
                yield Finding(
                    (group, index, "depends_on", position),
                    f"{name!r} depends on {target!r}, which does not exist",
                    nearest(target, parts),
                )
    for index, store in enumerate(inventory.stores):
        if store.exporter not in platform:
            yield Finding(
                ("stores", index, "exporter"),
                f"exporter {store.exporter!r} of {store.name!r} is not under platform",
                nearest(store.exporter, platform),
            )


def _optional_references(inventory: Inventory) -> Iterator[Finding]:
    known = {part.name for part in inventory.parts}
    ports = {port: name for _group, _index, name, port in _groups(inventory)}
    names = set(known)
    platform = {part.name for part in inventory.platform}
    for index, part in enumerate(inventory.optional):
        if part.name in names:
            place: Place = ("optional", index, "name")
            yield Finding(place, f"{part.name!r} is already the name of a part", "Name it apart.")
        names.add(part.name)
        if part.port in ports:
            yield Finding(
                ("optional", index, "port"),
                f"port {part.port} is already the port of {ports[part.port]!r}",
                "Give each part a port of its own.",
            )
        if part.port is not None:
            ports.setdefault(part.port, part.name)
        if part.team not in inventory.alerts.teams:
            yield Finding(
                ("optional", index, "team"),
                f"{part.name!r} belongs to team {part.team!r}, which alerts.teams does not have",
                nearest(part.team, inventory.alerts.teams),
            )
        if part.told_by is not None and part.told_by not in platform:
            yield Finding(
                ("optional", index, "told_by"),
                f"{part.told_by!r}, which tells of {part.name!r}, is not under platform",
                nearest(part.told_by, platform),
            )
        others = known | {other.name for other in inventory.optional}
        for position, target in enumerate(part.depends_on):
            if target not in others:
                yield Finding(
                    ("optional", index, "depends_on", position),
                    f"{part.name!r} depends on {target!r}, which does not exist",
                    nearest(target, others),
                )


def _queue_references(inventory: Inventory) -> Iterator[Finding]:
    services = {service.name for service in inventory.services}
    for index, queue in enumerate(inventory.queues):
        if queue.service not in services:
            yield Finding(
                ("queues", index, "service"),
                f"queue {queue.name!r} is read by {queue.service!r}, which is no service",
                nearest(queue.service, services),
            )


def _backup_references(inventory: Inventory) -> Iterator[Finding]:
    backup = inventory.backup
    if backup is None:
        return
    stores = [store.name for store in inventory.stores]
    if backup.store not in stores:
        yield Finding(
            ("backup", "store"),
            f"no store is named {backup.store!r}",
            nearest(backup.store, stores),
        )
    sources = backup.sources
    for name, place in backup.destinations.items():
        if place.of is not None and place.of not in sources:
            yield Finding(
                ("backup", "destinations", name, "of"),
                f"no destination with backups of its own is named {place.of!r}",
                nearest(place.of, sources),
            )
    policy = backup.wal.policy
    for index, name in enumerate(policy.require):
        if name not in sources:
            yield Finding(
                ("backup", "wal", "policy", "require", index),
                f"no destination with backups of its own is named {name!r}",
                nearest(name, sources),
            )
    if policy.any is not None and policy.any > len(sources):
        yield Finding(
            ("backup", "wal", "policy", "any"),
            f"{policy.any} destinations are asked for and {len(sources)} make backups",
            "Ask for fewer, or add a destination with `role: backup`.",
        )


def _alert_references(inventory: Inventory) -> Iterator[Finding]:
    channels = set(inventory.alerts.channels)
    for place, name in _channel_mentions(inventory):
        known = {*channels, *ROLES} if place[1] == "routes" else channels
        if name not in known:
            yield Finding(place, f"there is no channel {name!r}", nearest(name, known))
    teams = set(inventory.alerts.teams)
    for policy, escalation in inventory.alerts.escalation.items():
        for index, level in enumerate(escalation.levels):
            if level.team not in teams:
                spot: Place = ("alerts", "escalation", policy, "levels", index, "team")
                yield Finding(spot, f"there is no team {level.team!r}", nearest(level.team, teams))
    policies = inventory.alerts.escalation
    for index, route in enumerate(inventory.alerts.routes):
        if route.escalate is not None and route.escalate not in policies:
            spot = ("alerts", "routes", index, "escalate")
            message = f"there is no escalation {route.escalate!r}"
            yield Finding(spot, message, nearest(route.escalate, policies))
    seen: set[str] = set()
    for index, rule in enumerate(inventory.alerts.grouping):
        if rule.name in seen:
            spot = ("alerts", "grouping", index, "name")
            yield Finding(spot, f"rule {rule.name!r} is there twice", "Name one of them apart.")
        seen.add(rule.name)


def _channel_mentions(inventory: Inventory) -> Iterator[tuple[Place, str]]:
    """Yield every place that names a channel."""
    alerts = inventory.alerts
    for team_name, team in alerts.teams.items():
        place: Place = ("alerts", "teams", team_name)
        for role in ROLES:
            yield (*place, role), getattr(team, role)
        yield from _numbered((*place, "fallback"), team.fallback)
    for index, route in enumerate(alerts.routes):
        yield from _numbered(("alerts", "routes", index, "send"), route.send)
    yield from _numbered(("alerts", "summaries"), alerts.summaries)
    for index, test in enumerate(alerts.route_tests):
        yield from _numbered(("alerts", "route_tests", index, "expect"), test.expect)


def _numbered(place: Place, names: tuple[str, ...]) -> Iterator[tuple[Place, str]]:
    for position, name in enumerate(names):
        yield (*place, position), name
