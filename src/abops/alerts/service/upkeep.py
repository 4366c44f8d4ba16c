"""What the leading service does beside the alerts' way besides judging them: keeping house."""

from collections.abc import Awaitable, Callable

from abops.alerts.model import ServiceConfig
from abops.alerts.service.metrics import Metrics
from abops.alerts.service.mirroring import Mirroring
from abops.alerts.service.retaining import Retaining
from abops.alerts.service.vault import Vault
from abops.kernel.clock import Clock


class Upkeep:
    """The housekeepers, each with a name for what its failures are counted under."""

    def __init__(self, config: ServiceConfig, vault: Vault, metrics: Metrics, clock: Clock) -> None:
        self.retaining = Retaining(config, vault, metrics, clock)
        self.mirroring = Mirroring(config, vault, metrics, clock)

    def works(self) -> tuple[tuple[str, Callable[[], Awaitable[None]]], ...]:
        """Return name and work of each; the work never ends by itself."""
        return (("retention", self.retaining.run), ("silences", self.mirroring.run))
