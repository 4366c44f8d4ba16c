"""Runbooks: one page per alert, for the person who was paged at three in the morning."""

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert
from abops.observability.rules import catalogue


def runbooks(inventory: Inventory) -> dict[str, str]:
    """Return the pages by file name. An alert that exists once a job has one page."""
    pages: dict[str, str] = {}
    for alert in catalogue(inventory):
        pages.setdefault(f"{alert.name}.md", _page(alert))
    return pages


def _page(alert: Alert) -> str:
    impact = alert.impact.replace("{{ $labels.service }}", "the service").replace(
        "{{ $labels.origin }}", "the alert named in `origin`"
    )
    threshold = ""
    if alert.threshold is not None:
        threshold = f"\nThreshold: {alert.threshold:g} {alert.unit}. {alert.reason}\n"
    return (
        f"# {alert.name}\n\nSeverity: {alert.severity}.\n"
        f"\n## Meaning\n{alert.runbook.meaning}\n{threshold}"
        f"\n## Impact\n{impact}\n"
        f"\n## Diagnosis\n{alert.runbook.diagnosis.rstrip()}\n"
        f"\n## Mitigation\n{alert.runbook.mitigation.rstrip()}\n"
    )
