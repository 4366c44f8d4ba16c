"""What lists of incidents are made from."""

from collections.abc import Sequence

from abops.alerts.model import IncidentSummary
from abops.alerts.service.vault import Vault
from abops.alerts.store import briefs as rows
from abops.alerts.store import reading
from abops.alerts.store.briefs import Brief


class Briefing:
    """The part of the alert service that lists."""

    _vault: Vault

    async def briefs(self, *, limit: int) -> Sequence[Brief]:
        """Return incidents in short: unresolved ones first, then the newest."""
        return await self._vault.read(lambda c: rows.briefs(c, limit=limit))

    async def summaries(self, numbers: Sequence[int]) -> tuple[IncidentSummary, ...]:
        """Return these incidents, in this order."""
        return await self._vault.read(lambda c: reading.summaries(c, numbers))
