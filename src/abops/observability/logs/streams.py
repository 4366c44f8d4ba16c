"""Which files become which streams: one stream per part and environment.

The part is known by its file, not by what a line claims: a line cannot write itself into
another part's stream.
"""

from collections.abc import Iterable

from msgspec import Struct

from abops.inventory.model import Inventory

PIPELINE = "analyticbot-logs"
"""The ingest pipeline that every line passes: redaction, then its fields."""
TEMPLATE = "analyticbot-logs"
POLICY = "analyticbot-logs"
UNSHIPPED = frozenset({"opensearch", "rsyslog"})
"""What the log path itself writes would feed itself."""


class Source(Struct, frozen=True):
    """One part that logs."""

    part: str
    service: str
    """What lines that are not ours are counted under: `service.name` of the ECS."""


def sources(inventory: Inventory) -> tuple[Source, ...]:
    """Return every part of the inventory that logs, services first."""
    parts = [*inventory.services, *inventory.stores, *inventory.platform]
    services = {service.name for service in inventory.services}
    return tuple(
        Source(p.name, f"{inventory.name}-{p.name}" if p.name in services else p.name)
        for p in parts
        if p.name not in UNSHIPPED
    )


def stream_of(inventory: Inventory, part: str, env: str) -> str:
    """Return the data stream of a part."""
    return f"logs-{inventory.name}.{part}-{env}"


def streams_of(inventory: Inventory, parts: Iterable[str], env: str | None) -> tuple[str, ...]:
    """Return the streams of `parts` in one environment, or in all of them.

    Spelled out: a pattern for postgres would also find postgres-exporter.
    """
    environments = inventory.environments if env is None else (env,)
    return tuple(stream_of(inventory, part, name) for part in parts for name in environments)


def stream_pattern(inventory: Inventory, *, env: str = "*") -> str:
    """Return the pattern of every part's stream."""
    return f"logs-{inventory.name}.*-{env}"


def part_of(inventory: Inventory, index: str) -> str:
    """Return the part whose stream an index belongs to; backing indices begin with `.ds-`."""
    _, found, rest = index.partition(f"logs-{inventory.name}.")
    known = sorted((source.part for source in sources(inventory)), key=len, reverse=True)
    return next((part for part in known if found and rest.startswith(f"{part}-")), "")
