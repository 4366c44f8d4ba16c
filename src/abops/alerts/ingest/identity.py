"""What makes two statements the same, and two alerts the same.

The fingerprint leaves out labels that differ between twins which watch the same thing, and the
part of a pod's name that changes with every rollout. The event key names one statement about one
alert, so that a retry, a repeat and a highly available twin are all recognised. Nothing here
depends on the order of labels or on when it runs.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b

_POD_SUFFIX = re.compile(r"(-[a-z0-9]{5,10})?-[a-z0-9]{5}$")
_UNIT, _RECORD = "\x1f", "\x1e"


def fingerprint(labels: Mapping[str, str], volatile: Iterable[str]) -> str:
    """Return the identity of the alert with these labels: 16 hex digits."""
    left_out = frozenset(volatile)
    parts = [
        f"{name}{_UNIT}{_POD_SUFFIX.sub('', value) if name == 'pod' else value}"
        for name, value in sorted(labels.items())
        if name not in left_out
    ]
    return blake2b(_RECORD.join(parts).encode(), digest_size=8).hexdigest()


def event_key(
    alert_fingerprint: str, status: str, starts_at: datetime, ends_at: datetime | None
) -> bytes:
    """Return the identity of one statement: this alert, since then, in this state."""
    end = "" if ends_at is None else ends_at.timestamp()
    statement = f"{alert_fingerprint}{_UNIT}{starts_at.timestamp()}{_UNIT}{status}{_UNIT}{end}"
    return blake2b(statement.encode(), digest_size=16).digest()
