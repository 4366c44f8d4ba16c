"""Watching the watcher: whether Alertmanager is alive, and whether it knows what we know.

The Watchdog alert arrives every minute; when it stays away, an alert of our own says so. Every
minute Alertmanager's own list is compared with ours: what is missing here is taken in, and what
has long gone there is over.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from abops.alerts.ingest.identity import event_key, fingerprint
from abops.alerts.ingest.webhook import SentAlert, to_event
from abops.alerts.model import AlertEvent, AlertStatus, ServiceSettings
from abops.clients.alertmanager import ListedAlert

DEADMAN: Final = "DeadMansSwitch"
NOT_OURS: Final = frozenset({"Watchdog", "DirectPage", "AlertServiceDown"})
"""Alerts that Alertmanager sends elsewhere."""


def deadman(env: str, *, since: datetime, ended: datetime | None = None) -> AlertEvent:
    """Return the statement that Alertmanager is silent, or no longer is."""
    labels = {
        "alertname": DEADMAN,
        "severity": "critical",
        "service": "alertmanager",
        "category": "monitoring",
        "env": env,
    }
    annotations = {
        "summary": "Alertmanager is silent: the Watchdog alert does not arrive",
        "description": "Nothing that Prometheus sees may be reaching people. Look at Prometheus, "
        "then at Alertmanager, then at the network between them and this service.",
    }
    status: AlertStatus = "firing" if ended is None else "resolved"
    identity = fingerprint(labels, ())
    return AlertEvent(
        key=event_key(identity, status, since, ended),
        fingerprint=identity,
        status=status,
        labels=labels,
        annotations=annotations,
        starts_at=since,
        ends_at=ended,
        source="abops",
    )


def missing_here(
    listed: Sequence[ListedAlert],
    firing: Mapping[str, float],
    settings: ServiceSettings,
    now: datetime,
) -> list[AlertEvent]:
    """Return what fires in Alertmanager and not here."""
    volatile = frozenset(settings.volatile_labels)
    found = []
    for alert in listed:
        if not alert.active or alert.labels.get("alertname", "") in NOT_OURS:
            continue
        sent = SentAlert(
            labels=alert.labels,
            starts_at=alert.starts_at,
            status="firing",
            annotations=alert.annotations,
            generator_url=alert.generator_url,
        )
        event = to_event(sent, volatile)
        if event.fingerprint not in firing:
            found.append(event)
            found.append(_again(event, now))
    return found


def gone_there(
    listed: Sequence[ListedAlert], firing: Mapping[str, float], settings: ServiceSettings
) -> set[str]:
    """Return the fingerprints that fire here and are not in Alertmanager's list."""
    volatile = frozenset(settings.volatile_labels)
    there = {fingerprint(alert.labels, volatile) for alert in listed}
    return set(firing) - there


def vanished(alert_fingerprint: str, starts_at: datetime, now: datetime) -> AlertEvent:
    """Return the statement that an alert is over because nobody speaks of it any more."""
    return AlertEvent(
        key=event_key(alert_fingerprint, "resolved", starts_at, now),
        fingerprint=alert_fingerprint,
        status="resolved",
        labels={},
        annotations={},
        starts_at=starts_at + timedelta(milliseconds=1),  # never before the episode it ends
        ends_at=now,
        source="reconcile",
    )


def _again(event: AlertEvent, now: datetime) -> AlertEvent:
    """Say it once more under a new key: the first may be known from before it ended here."""
    return AlertEvent(
        key=event_key(event.fingerprint, "firing", event.starts_at, now),
        fingerprint=event.fingerprint,
        status="firing",
        labels=event.labels,
        annotations=event.annotations,
        starts_at=event.starts_at,
        ends_at=None,
        generator_url=event.generator_url,
        source="reconcile",
    )
