"""Jaeger's query API, version 3: which services sent spans."""

from datetime import datetime
from typing import Final

from abops.clients.loopback import Loopback, LoopbackStatusError

NOT_FOUND: Final = 404


class Jaeger:
    """One Jaeger of this machine."""

    def __init__(self, url: str) -> None:
        self._server = Loopback(url)

    def services(self) -> tuple[str, ...]:
        """Return the names of services that ever sent a span."""
        return tuple(self._server.get("/api/v3/services")["services"])

    def has_spans(self, service: str, since: datetime, until: datetime) -> bool:
        """Tell whether the service sent a span between two moments."""
        try:
            found = self._server.get(
                "/api/v3/traces",
                **{
                    "query.service_name": service,
                    "query.start_time_min": _moment(since),
                    "query.start_time_max": _moment(until),
                    "query.num_traces": "1",
                },
            )
        except LoopbackStatusError as error:
            if error.status == NOT_FOUND:  # Jaeger's word for an empty answer
                return False
            raise
        return bool(found.get("result", {}).get("resourceSpans"))


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
