"""Alert rules for Prometheus, from the catalogue."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import yaml

from abops.inventory.model import Inventory
from abops.kernel.quantities import format_duration
from abops.observability.catalogue.aiogram import aiogram_alerts
from abops.observability.catalogue.alert import Alert
from abops.observability.catalogue.backup import backup_alerts
from abops.observability.catalogue.blackbox import edge_alerts
from abops.observability.catalogue.celery import celery_alerts
from abops.observability.catalogue.cost import cost_alerts
from abops.observability.catalogue.delivery import delivery_alerts
from abops.observability.catalogue.fastapi import fastapi_alerts
from abops.observability.catalogue.kubernetes import kubernetes_alerts
from abops.observability.catalogue.node import node_alerts
from abops.observability.catalogue.postgres import postgres_alerts
from abops.observability.catalogue.probes import probe_alerts
from abops.observability.catalogue.recordings import recordings
from abops.observability.catalogue.redis import redis_alerts
from abops.observability.catalogue.telemetry import telemetry_alerts
from abops.observability.catalogue.telling import telling_alerts
from abops.observability.slo.groups import PREFIX as SLO_PREFIX
from abops.observability.slo.groups import slo_alerts, slo_groups

PAGING = frozenset({"probes", "telling"})
"""Groups that page within 30 s: evaluated every 5 s."""
PAGING_S, USUAL_S = 5, 15


def catalogue(inventory: Inventory) -> tuple[Alert, ...]:
    """Return every alert, in the order of the files."""
    return (
        *probe_alerts(inventory),
        *telling_alerts(),
        *telemetry_alerts(inventory),
        *postgres_alerts(inventory),
        *redis_alerts(inventory),
        *node_alerts(inventory),
        *kubernetes_alerts(inventory),
        *backup_alerts(inventory),
        *delivery_alerts(inventory),
        *cost_alerts(inventory),
        *edge_alerts(inventory),
        *fastapi_alerts(inventory),
        *aiogram_alerts(inventory),
        *celery_alerts(inventory),
        *slo_alerts(inventory),
    )


def interval(group: str) -> timedelta:
    """Return how often a group of alerts is evaluated."""
    return timedelta(seconds=PAGING_S if group in PAGING else USUAL_S)


def recording_rules(inventory: Inventory) -> str:
    """Return recording.yml: one group, because each series comes after those it reads."""
    known = recordings(inventory)
    groups = [
        {
            "name": group,
            "interval": f"{USUAL_S}s",
            "rules": [
                {"record": recorded.record, "expr": recorded.expr}
                for recorded in known
                if recorded.group == group
            ],
        }
        for group in dict.fromkeys(recorded.group for recorded in known)
    ]
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=120)


def alert_rules(inventory: Inventory) -> str:
    """Return advanced-alerts.yml."""
    alerts = [one for one in catalogue(inventory) if not one.group.startswith(SLO_PREFIX)]
    groups = [
        {
            "name": group,
            "interval": format_duration(interval(group)),
            "rules": [rule(alert, inventory) for alert in alerts if alert.group == group],
        }
        for group in dict.fromkeys(alert.group for alert in alerts)
    ]
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=120)


def slo_rules(inventory: Inventory) -> str:
    """Return slo.yml."""
    groups = [
        {
            "name": group.name,
            "interval": format_duration(group.every),
            "rules": [
                *(
                    {"record": one.record, "expr": one.expr, "labels": one.labels}
                    for one in group.recordings
                ),
                *(rule(alert, inventory) for alert in group.alerts),
            ],
        }
        for group in slo_groups(inventory)
    ]
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=120)


def rule(alert: Alert, inventory: Inventory) -> dict[str, Any]:
    """Return one rule as Prometheus reads it."""
    url = inventory.alerts.public_url
    query = quote(alert.promql, safe="")
    content: dict[str, Any] = {"alert": alert.name, "expr": alert.promql}
    if alert.hold:
        content["for"] = format_duration(alert.hold)
    content["labels"] = {"severity": alert.severity, **alert.labels}
    place = f"dashboards/ab-{alert.board}" if alert.board else "incidents"
    texts = {
        "summary": alert.summary,
        "impact": alert.impact,
        "runbook_url": f"{url}/runbooks/{alert.name}",
        "dashboard_url": f"{url}/{place}?service={{{{ $labels.service }}}}",
        "query_url": f"{{{{ $externalURL }}}}/graph?g0.expr={query}&g0.tab=0",
    }
    if alert.threshold is not None:
        texts["threshold"] = f"{alert.threshold:g} {alert.unit}".strip()
    content["annotations"] = {name: _known(text, alert) for name, text in texts.items()}
    return content


def _known(text: str, alert: Alert) -> str:
    """Fill in what the rule itself says: templates see the series' labels, not the rule's."""
    for name, value in alert.labels.items():
        text = text.replace(f"{{{{ $labels.{name} }}}}", value)
    return text
