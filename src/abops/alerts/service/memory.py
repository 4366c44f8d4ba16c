"""What is known of the unresolved incidents and their alerts: in memory, read from the disk."""

from abops.alerts.store import incidents as rows
from abops.alerts.store.database import Connection
from abops.alerts.store.records import AlertRecord, IncidentRecord
from abops.kernel.errors import OpsError


class IncidentUnknownError(OpsError):
    """There is no incident of this number."""

    hint = "List them with `abops alerts list`."


class IncidentResolvedError(OpsError):
    """The incident is resolved; there is nothing left to take care of."""

    hint = "If it comes back, a new incident opens."


class Memory:
    """The unresolved incidents, their alerts and those that fire; only the writer touches them."""

    def __init__(self) -> None:
        self.alerts: dict[str, AlertRecord] = {}
        self.open: dict[int, IncidentRecord] = {}
        self.resolved: dict[tuple[str, str], int] = {}
        """By service and environment, the last one of today."""
        self._last_number = 0

    def load(self, connection: Connection, now: float) -> None:
        """Forget everything and read it from the disk."""
        self.open = {record.number: record for record in rows.unresolved(connection)}
        self.alerts = {record.fingerprint: record for record in rows.live_alerts(connection)}
        self.resolved = rows.recently_resolved(connection, now)
        self._last_number = rows.last_number(connection)

    def next_number(self) -> int:
        """Give a number that no incident has had."""
        self._last_number += 1
        return self._last_number

    def unresolved(self, number: int) -> IncidentRecord:
        """Return the incident; raises IncidentUnknownError, IncidentResolvedError."""
        incident = self.open.get(number)
        if incident is not None:
            return incident
        self.known(number)
        raise IncidentResolvedError(f"incident {number} is resolved")

    def known(self, number: int) -> None:
        """Raise IncidentUnknownError unless there is or was such an incident."""
        if not 0 < number <= self._last_number:
            raise IncidentUnknownError(f"there is no incident {number}")

    def of(self, number: int) -> list[AlertRecord]:
        """Return the alerts of an incident."""
        return [record for record in self.alerts.values() if record.incident == number]

    def forget(self, incident: IncidentRecord, came_back_as: int | None = None) -> None:
        """Let go of an incident that is over; what comes back points to it, or to its heir."""
        del self.open[incident.number]
        self.resolved[incident.service, incident.env] = came_back_as or incident.number
        for record in self.of(incident.number):
            del self.alerts[record.fingerprint]
