"""Reading the store for `abops alerts replay`, and putting what came of it in rows."""

from collections import Counter
from pathlib import Path
from typing import Any

from abops.alerts.model import ServiceConfig
from abops.alerts.rootcause.live import platform_edges
from abops.alerts.route.from_inventory import routing_of
from abops.alerts.service.replaying import replay
from abops.alerts.store import past
from abops.alerts.store.database import open_readers
from abops.alerts.store.place import FILE
from abops.entry.cli.alert_access import DataMissingError
from abops.inventory.load import load_inventory
from abops.kernel.clock import SystemClock
from abops.kernel.quantities import parse_duration
from abops.stack.layout import find_layout

Row = dict[str, Any]


def replayed(
    *, since: str, env: str, inventory: Path, data_dir: Path | None
) -> tuple[list[Row], Row]:
    """Return a row for each incident there would be, and figures beside those of then."""
    folder = data_dir or find_layout().data / "alerts"
    if not (folder / FILE).is_file():
        raise DataMissingError(f"there is no {folder / FILE}")
    loaded = load_inventory(inventory)
    config = ServiceConfig(
        env=env,
        routing=routing_of(loaded),
        data_dir=folder,
        calls=tuple((edge.source, edge.target) for edge in platform_edges(loaded)),
    )
    until = SystemClock().now().timestamp()
    begin = until - parse_duration(since).total_seconds()
    engine = open_readers(folder / FILE)
    try:
        with engine.connect() as connection:
            found = replay(past.said_between(connection, begin, until), config, until)
            incidents, messages, pages = past.told_between(connection, begin, until)
    finally:
        engine.dispose()
    told = Counter((number, channel) for number, channel, _, _ in found.told)
    paged = Counter(number for number, _, _, page in found.told if page)
    rows = [
        {
            "incident": one.number,
            "severity": one.severity,
            "title": one.title,
            "alerts": one.alerts,
            "opened_at": one.opened_at,
            "told": ", ".join(f"{c} {n}" for (i, c), n in sorted(told.items()) if i == one.number),
            "pages": paged[one.number],
        }
        for one in sorted(found.incidents, key=lambda one: one.number)
        if one.merged_into is None
    ]
    return rows, {
        "alerts": found.alerts,
        "messages": len(found.told),
        "pages": sum(paged.values()),
        "incidents_then": incidents,
        "messages_then": messages,
        "pages_then": pages,
    }
