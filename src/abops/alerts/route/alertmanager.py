"""Alertmanager's configuration: everything to the alert service, and a way around it.

The alert service pages people. Alertmanager is the pager of last resort: the rules
`AlertServiceDown` and `DirectPage` fire only while the alert service is down or stuck, and go
straight to the channels.
"""

from collections import defaultdict
from typing import Any

import yaml

from abops.alerts.model import Endpoints
from abops.inventory.alerts import (
    EmailChannel,
    PagerDutyChannel,
    SlackChannel,
    TelegramChannel,
)
from abops.inventory.model import Inventory

DIRECT = 'alertname=~"DirectPage|AlertServiceDown"'
_TITLE = (
    "{{ .CommonLabels.alertname }}"
    "{{ if .CommonLabels.origin }} ({{ .CommonLabels.origin }}){{ end }}"
    " {{ .CommonLabels.service }}: {{ .CommonAnnotations.summary }}"
)


def alertmanager_config(inventory: Inventory, endpoints: Endpoints) -> str:
    """Return alertmanager.yml. Secrets are named by file, never written into it."""
    config = {
        "global": {"resolve_timeout": "5m"},
        "route": _route(),
        "inhibit_rules": _inhibit_rules(),
        "receivers": [
            _webhook("service", endpoints, "/v1/alertmanager", send_resolved=True),
            _webhook("watchdog", endpoints, "/v1/heartbeat/alertmanager", send_resolved=False),
            {"name": "direct", **_direct(inventory, endpoints)},
        ],
    }
    return yaml.safe_dump(config, sort_keys=False, width=120)


def _route() -> dict[str, Any]:
    return {
        "receiver": "service",
        "group_by": ["alertname", "service", "env"],
        "group_wait": "10s",
        "group_interval": "30s",
        "repeat_interval": "10m",
        "routes": [
            {
                "receiver": "watchdog",
                "matchers": ['alertname="Watchdog"'],
                "group_wait": "0s",
                "group_interval": "30s",
                "repeat_interval": "45s",
            },
            {
                "receiver": "direct",
                "matchers": [DIRECT],
                "group_by": ["alertname", "origin", "service", "env"],
                "group_wait": "1s",
                "group_interval": "1m",
                "repeat_interval": "30m",
            },
            {"receiver": "service", "matchers": ['severity="critical"'], **_AT_ONCE},
            {"receiver": "service", "matchers": ['category="security"'], **_AT_ONCE},
        ],
    }


_AT_ONCE = {"group_wait": "1s", "group_interval": "5s", "repeat_interval": "5m"}


def _inhibit_rules() -> list[dict[str, Any]]:
    return [
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity=~"warning|info"'],
            "equal": ["alertname", "service", "env", "instance"],
        },
        {
            "source_matchers": ['alertname="SLOErrorBudgetBurnFast"'],
            "target_matchers": ['alertname="SLOErrorBudgetBurnSlow"'],
            "equal": ["slo", "service", "env"],
        },
    ]


def _webhook(name: str, endpoints: Endpoints, path: str, *, send_resolved: bool) -> dict[str, Any]:
    hook = {
        "url": f"{endpoints.service_url}{path}",
        "send_resolved": send_resolved,
        "max_alerts": 0,
        "http_config": {
            "authorization": {
                "type": "Bearer",
                "credentials_file": f"{endpoints.secrets_dir}/ingest",
            }
        },
    }
    return {"name": name, "webhook_configs": [hook]}


def _direct(inventory: Inventory, endpoints: Endpoints) -> dict[str, Any]:
    """Return the receivers of last resort: every paging and chat channel of some team."""
    used = {name for team in inventory.alerts.teams.values() for name in (team.page, team.chat)}
    configs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, channel in inventory.alerts.channels.items():
        if name not in used:
            continue
        match channel:
            case PagerDutyChannel():
                pagerduty = _pagerduty(channel, endpoints)
                if pagerduty not in configs["pagerduty_configs"]:  # several may share a key
                    configs["pagerduty_configs"].append(pagerduty)
            case SlackChannel():
                configs["slack_configs"].append(_slack(channel, endpoints))
            case TelegramChannel():
                configs["telegram_configs"].append(_telegram(channel, endpoints))
            case EmailChannel():
                configs["email_configs"].append(_email(channel, endpoints))
    return dict(configs)


def _secret(file: str, endpoints: Endpoints) -> str:
    return f"{endpoints.secrets_dir}/{file.removeprefix('secrets/')}"


def _pagerduty(channel: PagerDutyChannel, endpoints: Endpoints) -> dict[str, Any]:
    return {
        # Of last resort is the key that is surely there, which levels may share.
        "routing_key_file": _secret(
            channel.fallback_key_file or channel.routing_key_file, endpoints
        ),
        "url": endpoints.pagerduty_url,
        "severity": "critical",
        "description": _TITLE,
        "send_resolved": True,
    }


def _slack(channel: SlackChannel, endpoints: Endpoints) -> dict[str, Any]:
    return {
        "api_url_file": f"{endpoints.secrets_dir}/slack-webhook",
        "channel": channel.channel,
        "title": _TITLE,
        "text": "{{ .CommonAnnotations.impact }}\n{{ .CommonAnnotations.runbook_url }}",
        "fallback": _TITLE,
        "send_resolved": True,
    }


def _telegram(channel: TelegramChannel, endpoints: Endpoints) -> dict[str, Any]:
    return {
        "bot_token_file": _secret(channel.token_file, endpoints),
        "api_url": endpoints.telegram_url,
        "chat_id": channel.chat_id,
        "parse_mode": "",
        "message": _TITLE,
        "send_resolved": True,
    }


def _email(channel: EmailChannel, endpoints: Endpoints) -> dict[str, Any]:
    password_file = channel.password_file
    login = (
        {}
        if password_file is None
        else {"auth_username": "abops", "auth_password_file": _secret(password_file, endpoints)}
    )
    return {
        "to": ", ".join(channel.to),
        "from": channel.sender,
        "smarthost": f"{endpoints.smtp_host}:{endpoints.smtp_port}",
        **login,
        "headers": {"Subject": _TITLE},
        "send_resolved": True,
    }
