"""What tells people: the alert service with its console, and the channel servers."""

import sys

from abops.stack.layout import INVENTORY_FILE
from abops.stack.part import HttpCheck, Part
from abops.stack.ports import HOST
from abops.stack.programs import ABOPS
from abops.stack.site import ENVIRONMENT, Site

RESOLVE_AFTER = "15s"
"""Quiet before an incident counts as over. In production five minutes; here somebody waits."""


def alerting(site: Site) -> tuple[Part, ...]:
    """Return the alert service and the servers that play Slack, PagerDuty, Telegram, SMTP."""
    return (_channels(site), _alerts(site))


def _channels(site: Site) -> Part:
    return Part(
        name="channels",
        argv=(
            *(sys.executable, "-m", "abops.stack.channels"),
            *("--config", str(site.layout.config / "channels.json")),
        ),
        cwd=site.layout.root,
        check=HttpCheck(site.port("channels-inbox"), "/healthz"),
        url=site.url("channels-inbox"),
        memory_mib=96,
    )


def _alerts(site: Site) -> Part:
    port = site.port("alerts")
    return Part(
        name="alerts",
        argv=(
            *(str(ABOPS), "alerts", "serve"),
            *("--inventory", str(site.layout.root / INVENTORY_FILE), "--env", ENVIRONMENT),
            *("--host", HOST, "--port", str(port)),
            *("--data-dir", str(site.data("alerts"))),
            *("--secrets-dir", str(site.layout.secrets), "--telegram", "poll"),
            *("--endpoints", str(site.layout.config / "endpoints.json")),
            *("--alertmanager", site.url("alertmanager")),
            *("--resolve-after", RESOLVE_AFTER),
            *("--inbox-url", site.url("channels-inbox")),
            *("--prometheus", site.url("prometheus")),
            *("--jaeger", site.url("jaeger")),
            *(("--logs", site.url("opensearch")) if site.logs else ()),
        ),
        cwd=site.layout.root,
        check=HttpCheck(port, "/readyz"),
        stop_grace_s=15.0,
        url=site.url("alerts", "/incidents"),
        memory_mib=160,
    )
