"""Runbooks: one page per alert, for the person who was paged at three in the morning."""

from collections.abc import Sequence

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert
from abops.observability.rules import catalogue

THOUSAND = 1000
"""From here on a number is written with its digits in groups."""


def runbooks(inventory: Inventory) -> dict[str, str]:
    """Return the pages by file name. Alerts of one name share a page: the first one's words."""
    named: dict[str, list[Alert]] = {}
    for alert in catalogue(inventory):
        named.setdefault(alert.name, []).append(alert)
    return {f"{name}.md": _page(alerts) for name, alerts in named.items()}


def _page(alerts: Sequence[Alert]) -> str:
    alert = alerts[0]
    impact = alert.impact.replace("{{ $labels.service }}", "the service").replace(
        "{{ $labels.origin }}", "the alert named in `origin`"
    )
    severities = ", ".join(dict.fromkeys(alert.severity for alert in alerts))
    return (
        f"# {alert.name}\n\nSeverity: {severities}.\n"
        f"\n## Meaning\n{alert.runbook.meaning}\n{_thresholds(alerts)}"
        f"\n## Impact\n{impact}\n"
        f"\n## Diagnosis\n{alert.runbook.diagnosis.rstrip()}\n"
        f"\n## Mitigation\n{alert.runbook.mitigation.rstrip()}\n"
    )


def _thresholds(alerts: Sequence[Alert]) -> str:
    """Return the thresholds of all alerts of a name; with their severity where they differ."""
    known = {
        f"{_number(alert.threshold)} {alert.unit}": alert.severity
        for alert in alerts
        if alert.threshold is not None
    }
    if not known:
        return ""
    texts = [f"{text} ({severity})" if len(known) > 1 else text for text, severity in known.items()]
    return f"\nThreshold: {', '.join(texts)}. {alerts[0].reason}\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= THOUSAND else f"{value:g}"
