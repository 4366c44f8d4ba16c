"""What the local channel servers received: the demonstration's and the tests' view of people."""

from typing import Any

import msgspec
from msgspec import Struct, field

from abops.clients.loopback import Loopback


class Received(Struct, frozen=True):
    """One message, as it reached a channel."""

    number: int
    channel: str
    action: str
    destination: str
    summary: str
    at_s: float = field(name="received_epoch_s")

    def is_about(self, incident: int) -> bool:
        """Tell whether the message names the incident: PagerDuty's in its key, else in the text."""
        name = f"INC-{incident}"
        return self.destination.endswith(f"-{name}") or f"({name})" in self.summary


class Inbox:
    """The channel servers of one stack."""

    def __init__(self, url: str) -> None:
        self._server = Loopback(url)

    def received(self) -> tuple[Received, ...]:
        """Return every message, the oldest first."""
        found: list[dict[str, Any]] = self._server.get("/_received")
        return msgspec.convert(found, tuple[Received, ...])

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
