"""What tells a Grafana where its data and its boards are."""

from typing import Final

import yaml

DATASOURCES: Final = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "Prometheus",
            "uid": "prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": "${PROMETHEUS_URL}",
            "isDefault": True,
            "jsonData": {
                "timeInterval": "15s",
                "httpMethod": "POST",
                "exemplarTraceIdDestinations": [{"name": "trace_id", "datasourceUid": "jaeger"}],
            },
        },
        {
            "name": "Jaeger",
            "uid": "jaeger",
            "type": "jaeger",
            "access": "proxy",
            "url": "${JAEGER_URL}",
        },
    ],
}
"""Addresses come from Grafana's environment: they differ from place to place."""

PROVIDERS: Final = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "analyticbot",
            "folder": "AnalyticBot",
            "type": "file",
            "disableDeletion": True,
            "allowUiUpdates": False,
            "updateIntervalSeconds": 30,
            "options": {"path": "/var/lib/grafana/dashboards/analyticbot"},
        }
    ],
}


def provisioning() -> dict[str, str]:
    """Return the files below grafana/provisioning: name -> YAML."""
    return {
        "datasources/analyticbot.yml": yaml.safe_dump(DATASOURCES, sort_keys=False),
        "dashboards/analyticbot.yml": yaml.safe_dump(PROVIDERS, sort_keys=False),
    }
