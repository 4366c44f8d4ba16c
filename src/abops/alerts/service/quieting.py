"""What the alert service can be asked about silences, windows and who was paged, as coroutines."""

import msgspec

from abops.alerts.model import Actor
from abops.alerts.route.window import Schedule
from abops.alerts.service import orders
from abops.alerts.service.vault import Vault
from abops.alerts.store import duty as rows
from abops.alerts.store.duty import PageRow, SilenceRow
from abops.kernel.clock import Clock


class Quieting:
    """The part of the alert service that keeps silences and windows."""

    _vault: Vault
    clock: Clock

    async def silence(  # noqa: PLR0913 - what a silence consists of
        self,
        matchers: str,
        *,
        ends_at: float,
        reason: str,
        by: str,
        starts_at: float | None = None,
        via: str = "api",
    ) -> int:
        """Tell nobody of matching alerts until then; return the silence's number.

        Raises SilenceError, MatcherSyntaxError.
        """
        now = self.clock.now().timestamp()
        row = SilenceRow(
            0, matchers, reason, now if starts_at is None else starts_at, ends_at, now, by
        )
        return await self._vault.order(orders.SILENCE, row, Actor(by, via))

    async def unsilence(self, number: int, *, by: str, via: str = "api") -> None:
        """End a silence now; raises SilenceUnknownError."""
        await self._vault.order(orders.END_QUIET, "silence", number, Actor(by, via))

    async def silences(self) -> tuple[SilenceRow, ...]:
        """Return the silences that have not ended."""
        now = self.clock.now().timestamp()
        return tuple(await self._vault.read(lambda c: rows.silences(c, now)))

    async def held_back(self) -> dict[str, int]:
        """Return how many alerts each silence and window keeps from people now: `silence 3`: 2."""
        return await self._vault.read(rows.held_back)

    async def window(  # noqa: PLR0913 - what a window consists of
        self,
        name: str,
        matchers: str,
        *,
        reason: str,
        by: str,
        schedule: Schedule | None = None,
        starts_at: float | None = None,
        ends_at: float | None = None,
        via: str = "api",
        key: str = "",
    ) -> int:
        """Plan a maintenance window, once or every week; return its number.

        Raises SilenceError, MatcherSyntaxError.
        """
        now = self.clock.now().timestamp()
        text = msgspec.json.encode(schedule).decode() if schedule else ""
        start = starts_at if schedule or starts_at is not None else now
        end = None if schedule else ends_at
        row = SilenceRow(0, matchers, reason, start, end, now, by, name, text, key)
        return await self._vault.order(orders.WINDOW, row, Actor(by, via))

    async def end_window(self, number: int, *, by: str, via: str = "api") -> None:
        """End a window, and all its repetitions, now; raises SilenceUnknownError."""
        await self._vault.order(orders.END_QUIET, "window", number, Actor(by, via))

    async def windows(self) -> tuple[SilenceRow, ...]:
        """Return the windows that are open or may yet open."""
        now = self.clock.now().timestamp()
        return tuple(await self._vault.read(lambda c: rows.windows(c, now)))

    async def pages(self, number: int) -> tuple[PageRow, ...]:
        """Return who was paged for an incident, and why."""
        return tuple(await self._vault.read(lambda c: rows.pages(c, number)))
