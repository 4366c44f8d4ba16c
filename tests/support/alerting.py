"""A real alert service for tests of what stands in front of it: store, ingest, incidents."""

import json
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from abops.alerts.model import Channel, Endpoints, Route, Routing, ServiceConfig, Team
from abops.alerts.service import AlertService


def a_service(folder: Path, *, slack_port: int) -> AlertService:
    """Return a service with its store in `folder`; its one channel is Slack at this port."""
    secrets_dir = folder / "secrets"
    secrets_dir.mkdir(parents=True)
    for name in ("ingest", "slack"):
        (secrets_dir / name).write_text(secrets.token_urlsafe(24))
    slack = Channel("slack-ops", "slack", secret_file="slack", address="C0OPS")  # noqa: S106
    routing = Routing(
        public_url="http://127.0.0.1:9600",
        channels={"slack-ops": slack},
        teams={"dev": Team("dev", page="slack-ops", chat="slack-ops")},
        routes=(Route(match="", matchers=(), send=("chat",)),),
    )
    endpoints = Endpoints(
        slack_api_url=f"http://127.0.0.1:{slack_port}/api/", secrets_dir=str(secrets_dir)
    )
    return AlertService(ServiceConfig("local", routing, folder / "data", endpoints))


def post_alerts(url: str, service: AlertService, *alerts: dict[str, Any]) -> None:
    """Send a webhook as Alertmanager does."""
    body = {
        "version": "4",
        "status": "firing",
        "receiver": "service",
        "groupKey": "{}",
        "truncatedAlerts": 0,
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093",
        "alerts": list(alerts),
    }
    token = (Path(service.config.endpoints.secrets_dir) / "ingest").read_text()
    request = Request(
        f"{url}/v1/alertmanager",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urlopen(request, timeout=20) as answer:
        assert 200 == answer.status


def a_firing(
    name: str, service: str, since: datetime, *, severity: str = "critical", **annotations: str
) -> dict[str, Any]:
    """Return one alert as it stands in a webhook."""
    return {
        "status": "firing",
        "labels": {"alertname": name, "service": service, "severity": severity},
        "annotations": annotations,
        "startsAt": since.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://127.0.0.1:9090/graph",
        "fingerprint": f"{abs(hash((name, service))):016x}"[:16],
    }
