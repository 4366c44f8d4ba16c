"""Merging and splitting, as coroutines of the alert service."""

from collections.abc import Collection

from abops.alerts.model import Actor, IncidentSummary
from abops.alerts.service.incidents import Incidents
from abops.alerts.service.vault import Vault


class Regrouping:
    """The part of the alert service through which people correct what was grouped."""

    _vault: Vault
    _incidents: Incidents

    async def merge(self, number: int, into: int, *, by: str, via: str = "api") -> IncidentSummary:
        """Make one incident part of another and return that one.

        Raises IncidentUnknownError, IncidentResolvedError, RegroupError.
        """
        actor = Actor(by, via)
        await self._vault.write(
            lambda unit: self._incidents.regroup.by_hand(unit, number, into, actor)
        )
        return await self._vault.summary(into)

    async def split(
        self, number: int, fingerprints: Collection[str], *, by: str, via: str = "api"
    ) -> IncidentSummary:
        """Make a new incident of some alerts of one and return it.

        Raises IncidentUnknownError, IncidentResolvedError, RegroupError.
        """
        actor = Actor(by, via)
        new = await self._vault.write(
            lambda unit: self._incidents.regroup.split(unit, number, fingerprints, actor)
        )
        return await self._vault.summary(new)
