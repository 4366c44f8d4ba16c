"""Who may send alerts, and in which form each of them writes."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal

from abops.alerts.ingest.generic import decode_generic, decode_posted
from abops.alerts.ingest.grafana import decode_grafana
from abops.alerts.ingest.kubernetes_events import decode_kubernetes
from abops.alerts.ingest.webhook import Decoded, MalformedBodyError, decode

Source = Literal["alertmanager", "generic", "grafana", "prometheus", "kubernetes"]
Decode = Callable[[bytes, Sequence[str], datetime], Decoded]


def _webhook(body: bytes, volatile: Sequence[str], now: datetime) -> Decoded:
    del now  # Alertmanager names every time itself
    return decode(body, volatile)


DECODERS: Final[dict[Source, Decode]] = {
    "alertmanager": _webhook,
    "generic": decode_generic,
    "grafana": decode_grafana,
    "prometheus": decode_posted,
    "kubernetes": decode_kubernetes,
}
HINTS: Final[dict[Source, str]] = {
    "alertmanager": MalformedBodyError.hint,
    "generic": (
        "Send an object or a list of them: status (firing or resolved), labels with `alertname`, "
        "and annotations, starts_at, ends_at, url if you have them. Times carry a time zone."
    ),
    "grafana": "Send the JSON of a Grafana webhook contact point: an object with `alerts`, a list.",
    "prometheus": "Send a list of objects with labels, startsAt and endsAt, as Prometheus does.",
    "kubernetes": "Send an Event, a list of them, an EventList, or an object of a watch.",
}


def decode_from(source: Source, body: bytes, volatile: Sequence[str], now: datetime) -> Decoded:
    """Read a body in its sender's form; raises MalformedBodyError."""
    try:
        return DECODERS[source](body, volatile, now)
    except MalformedBodyError as error:
        error.hint = HINTS[source]
        raise
