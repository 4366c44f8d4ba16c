"""Merging and splitting, as coroutines of the alert service."""

from collections.abc import Collection

from abops.alerts.model import Actor, IncidentSummary
from abops.alerts.service import orders
from abops.alerts.service.vault import Vault


class Regrouping:
    """The part of the alert service through which people correct what was grouped."""

    _vault: Vault

    async def merge(self, number: int, into: int, *, by: str, via: str = "api") -> IncidentSummary:
        """Make one incident part of another and return that one.

        Raises IncidentUnknownError, IncidentResolvedError, RegroupError.
        """
        await self._vault.order(orders.MERGE, number, into, Actor(by, via))
        return await self._vault.summary(into)

    async def split(
        self, number: int, fingerprints: Collection[str], *, by: str, via: str = "api"
    ) -> IncidentSummary:
        """Make a new incident of some alerts of one and return it.

        Raises IncidentUnknownError, IncidentResolvedError, RegroupError.
        """
        new = await self._vault.order(orders.SPLIT, number, tuple(fingerprints), Actor(by, via))
        return await self._vault.summary(new)
