"""Claiming a set while somebody restores from it, so that retention does not take it away.

The claim runs out by itself: who was cut off holds nothing for ever. A restore must not need the
catalog, so that one which cannot be written is no hindrance.
"""

import contextlib
from datetime import datetime
from typing import Final

from abops.backup.model import Home, SetFacts
from abops.backup.store.database import Catalog, CatalogError
from abops.backup.store.entries import put
from abops.backup.store.records import Hold
from abops.kernel.clock import moment

CLAIMED_S: Final = 24 * 3_600.0
"""Fetching and replaying take less; then who restored has judged what came out."""


def claim(home: Home, one: SetFacts, now: datetime) -> None:
    """Claim a set from now on: neither it nor the log after it goes."""
    if not home.catalog.is_file():
        return
    catalog = Catalog(home.catalog)
    since = now.timestamp()
    held = Hold(
        destination=one.destination,
        generation=one.generation,
        label=one.label,
        why=f"a restore begun {moment(since):%Y-%m-%d %H:%M} UTC",
        since=since,
        until=since + CLAIMED_S,
    )
    try:
        with contextlib.suppress(CatalogError), catalog.write() as connection:
            put(connection, held)
    finally:
        catalog.close()
