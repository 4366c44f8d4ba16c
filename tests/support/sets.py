"""Backups made up for tests: one set, or a full one with its increments."""

from datetime import datetime, timedelta

import msgspec

from abops.backup.model import SetFacts
from abops.kernel.clock import moment

DAY_S = 86_400.0


def begun(label: str) -> float:
    """Return when a set began, which its label says."""
    stamp = label.partition("_")[2] or label
    return datetime.strptime(f"{stamp[:15]}+0000", "%Y%m%d-%H%M%S%z").timestamp()


def a_set(label: str, **different: object) -> SetFacts:
    """Return a set of eu; what its label says is true of it, the rest is ordinary."""
    start = begun(label)
    number = int(start // 60) % 2**20
    kind = "incr" if label.endswith("I") else "full"
    facts = SetFacts(
        destination="eu",
        generation="g1",
        label=label,
        type="full",
        prior=label.partition("_")[0] if kind == "incr" else "",
        started=start,
        stopped=start + 60,
        wal_start=f"00000001{number >> 8:08X}{number & 255:08X}",
        wal_stop=f"00000001{number >> 8:08X}{number & 255:08X}",
        lsn_start="0/2000028",
        lsn_stop="0/2000100",
        size=30_000_000,
        repo_size=3_000_000 if kind == "full" else 300_000,
        system_id=7_000_000_000_000_000_000,
    )
    return msgspec.structs.replace(facts, **{"type": kind, **different})


def label_of(at: datetime, full: str = "") -> str:
    """Return the label of a full set begun then, or of an increment of `full`."""
    stamp = f"{at:%Y%m%d-%H%M%S}"
    return f"{full}_{stamp}I" if full else f"{stamp}F"


def a_chain(length: int, *, start: str = "20261101-010000F", **different: object) -> list[SetFacts]:
    """Return a full set and an increment each day after it."""
    first = a_set(start, **different)
    made = [first]
    for day in range(1, length):
        at = moment(first.started) + timedelta(days=day)
        made.append(a_set(label_of(at, first.label), **{"prior": made[-1].label, **different}))
    return made
