"""What the alert service can be asked to do with an incident, and what it counts, as coroutines."""

from abops.alerts.ingest.callbacks import Via
from abops.alerts.model import Actor, IncidentSummary
from abops.alerts.service import orders
from abops.alerts.service.vault import Vault
from abops.alerts.store import incidents as rows
from abops.alerts.store import people, responses
from abops.alerts.store.people import Linked
from abops.alerts.store.responses import SeverityCount


class Acting:
    """The part of the alert service that people's actions go through."""

    _vault: Vault

    @property
    def instance(self) -> int:
        """What sets this store's incidents apart from any other's."""
        return self._vault.instance

    async def resolve(self, number: int, *, by: str, via: str = "api") -> IncidentSummary:
        """Record that it is over and tell the channels."""
        actor = Actor(by, via)
        await self._vault.order(orders.RESOLVE, number, actor)
        return await self._vault.summary(number)

    async def assign(
        self, number: int, owner: str, *, by: str, via: str = "api"
    ) -> IncidentSummary:
        """Record whose it is; an empty owner makes it nobody's."""
        actor = Actor(by, via)
        await self._vault.order(orders.ASSIGN, number, owner, actor)
        return await self._vault.summary(number)

    async def note(self, number: int, text: str, *, by: str, via: str = "api") -> IncidentSummary:
        """Add a line to its timeline."""
        actor = Actor(by, via)
        await self._vault.order(orders.NOTE, number, text, actor)
        return await self._vault.summary(number)

    async def noise(
        self, number: int, *, by: str, via: str = "api", noise: bool = True
    ) -> IncidentSummary:
        """Record whether anybody had to act."""
        actor = Actor(by, via)
        await self._vault.order(orders.NOISE, number, actor, noise)
        return await self._vault.summary(number)

    async def linked(self, via: Via, account: str) -> Linked | None:
        """Say whose account it is. None: nobody's."""
        return await self._vault.read(lambda c: people.linked(c, via, account))

    async def audit(self, actor: Actor, action: str, subject: str) -> None:
        """Note who did what."""
        await self._vault.write(
            lambda u: rows.record_audit(
                u.connection, actor, at=u.now, action=action, subject=subject
            ),
            anywhere=True,
        )

    async def statistics(self, since: float, until: float) -> tuple[SeverityCount, ...]:
        """Count what opened in a time and how quickly people answered."""
        return await self._vault.read(lambda c: responses.by_severity(c, since, until))
