"""Reading what Grafana's alerting sends to a webhook: Alertmanager's form, and links of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from abops.alerts.ingest.generic import Moment, each, real
from abops.alerts.ingest.webhook import Decoded, SentAlert, malformed, to_event
from abops.alerts.model import AlertEvent, AlertStatus

_LINKS: Final = ("dashboard_url", "panel_url", "silence_url")


class GrafanaAlert(Struct, frozen=True):
    """An alert as Grafana writes it."""

    labels: dict[str, str]
    starts_at: Moment = field(name="startsAt")
    status: AlertStatus
    ends_at: Moment | None = field(name="endsAt", default=None)
    annotations: dict[str, str] = {}
    generator_url: str = field(name="generatorURL", default="")
    dashboard_url: str = field(name="dashboardURL", default="")
    panel_url: str = field(name="panelURL", default="")
    silence_url: str = field(name="silenceURL", default="")
    values: dict[str, Any] | None = None


class _Body(Struct):
    alerts: list[msgspec.Raw]
    truncated: int = field(name="truncatedAlerts", default=0)


_decode = msgspec.json.Decoder(_Body).decode


def decode_grafana(body: bytes, volatile: Sequence[str], now: datetime) -> Decoded:
    """Read a webhook of Grafana's alerting; raises MalformedBodyError."""
    left_out = frozenset(volatile)

    def event(alert: GrafanaAlert) -> tuple[AlertEvent, float | None]:
        links = {name: link for name in _LINKS if (link := getattr(alert, name))}
        values = {f"value_{name}": str(value) for name, value in (alert.values or {}).items()}
        sent = SentAlert(
            labels=alert.labels,
            starts_at=real(alert.starts_at) or now,
            status=alert.status,
            ends_at=(real(alert.ends_at) or now) if alert.status == "resolved" else None,
            annotations={**values, **links, **alert.annotations},
            generator_url=alert.generator_url,
        )
        return to_event(sent, left_out, source="grafana"), None

    try:
        whole = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(error) from error
    found = each(msgspec.json.encode(whole.alerts), GrafanaAlert, event)
    return msgspec.structs.replace(found, truncated=max(whole.truncated, 0))
