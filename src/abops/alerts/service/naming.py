"""What people called something that the records name by its number."""

from abops.alerts.service.vault import Vault
from abops.alerts.store import naming as rows


class Naming:
    """The part of the alert service that knows names."""

    _vault: Vault

    async def window_names(self) -> dict[int, str]:
        """Return what each maintenance window was called, also those that are over."""
        return await self._vault.read(rows.windows)
