"""The configurations of the local stack: the committed ones, with this machine's ports.

Prometheus runs on the very file and rules of production; only its target files differ.
"""

from pathlib import Path

import msgspec

from abops.alerts.model import Endpoints
from abops.alerts.route.alertmanager import alertmanager_config
from abops.inventory.load import load_inventory
from abops.inventory.model import Inventory
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic
from abops.observability.jaeger import TracePlace, badger, jaeger_config
from abops.observability.logs.rsyslog import ShipperPlace, rsyslog_config
from abops.observability.targets import target_files
from abops.stack.channels.config import ChannelConfig
from abops.stack.layout import INVENTORY_FILE
from abops.stack.ports import HOST
from abops.stack.site import ENVIRONMENT, Site

MONITORING = Path("infrastructure/monitoring")

JAEGER_MIB = 256


class RenderMissingError(OpsError):
    """A rendered configuration is missing in the checkout."""

    hint = "Write it with `abops render`."


def write_config(site: Site) -> frozenset[str]:
    """Write all configurations; return which changed, by their path below the folder."""
    inventory = load_inventory(site.layout.root / INVENTORY_FILE)
    endpoints = local_endpoints(site)
    files = {
        "alertmanager/alertmanager.yml": alertmanager_config(inventory, endpoints),
        "endpoints.json": msgspec.json.format(msgspec.json.encode(endpoints)).decode(),
        "channels.json": channel_config(site),
        "jaeger.yml": jaeger_config(trace_place(site)),
        **prometheus_files(site, inventory),
    }
    if site.logs:
        files["rsyslog.conf"] = rsyslog_config(inventory, shipper_place(site))
    kept = {site.layout.config / name for name in files}
    for old in (site.layout.config / "prometheus").rglob("*.yml"):
        if old not in kept:
            old.unlink()
    return frozenset(
        name for name, text in files.items() if _write(site.layout.config / name, text)
    )


def _write(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_atomic(path, text)
    return True


def local_endpoints(site: Site) -> Endpoints:
    """Return where the outside systems answer on this machine."""
    return Endpoints(
        service_url=site.url("alerts"),
        slack_api_url=site.url("channels-slack", "/api/"),
        pagerduty_url=site.url("channels-pagerduty", "/v2/enqueue"),
        telegram_url=site.url("channels-telegram"),
        smtp_host=HOST,
        smtp_port=site.port("channels-smtp"),
        secrets_dir=str(site.layout.secrets),
    )


def channel_config(site: Site) -> str:
    """Return the configuration of the channel servers."""
    config = ChannelConfig(
        slack_port=site.port("channels-slack"),
        pagerduty_port=site.port("channels-pagerduty"),
        telegram_port=site.port("channels-telegram"),
        smtp_port=site.port("channels-smtp"),
        inbox_port=site.port("channels-inbox"),
        data_dir=str(site.data("channels")),
        secrets_dir=str(site.layout.secrets),
        alert_service_url=site.url("alerts"),
    )
    return msgspec.json.format(msgspec.json.encode(config)).decode()


def trace_place(site: Site) -> TracePlace:
    """Return where Jaeger listens and keeps spans: all in one process, in files."""
    return TracePlace(
        badger(str(site.data("jaeger"))),
        host=HOST,
        query=site.port("jaeger"),
        query_grpc=site.port("jaeger-grpc"),
        health=site.port("jaeger-health"),
        metrics=site.port("jaeger-metrics"),
        otlp_grpc=site.port("jaeger-otlp-grpc"),
        otlp_http=site.port("jaeger-otlp-http"),
        sampling_grpc=site.port("jaeger-sampling-grpc"),
        sampling_http=site.port("jaeger-sampling-http"),
        span_metrics=site.port("jaeger-spanmetrics"),
        memory_mib=JAEGER_MIB,
    )


def shipper_place(site: Site) -> ShipperPlace:
    """Return where rsyslog finds the parts' logs, keeps its queue, and sends the lines."""
    return ShipperPlace(
        ENVIRONMENT,
        logs=str(site.layout.logs),
        state=str(site.data("rsyslog")),
        host=HOST,
        port=site.port("opensearch"),
    )


def prometheus_files(site: Site, inventory: Inventory) -> dict[str, str]:
    """Return the configurations of Prometheus and blackbox as committed, and the targets here."""
    source = site.layout.root / MONITORING / "prometheus"
    committed = [source / "prometheus.yml", source / "blackbox.yml"]
    committed += sorted((source / "rules").glob("*.yml"))
    try:
        files = {
            f"prometheus/{path.relative_to(source)}": path.read_text(encoding="utf-8")
            for path in committed
        }
    except OSError as error:
        raise RenderMissingError(f"{error.filename}: {error.strerror}") from error
    targets = target_files(inventory, ENVIRONMENT, addresses(site))
    return files | {f"prometheus/targets/{Path(n).name}": text for n, text in targets.items()}


def addresses(site: Site) -> dict[str, str]:
    """Return where each part answers, by the inventory's names."""
    return {name: site.address(name) for name in site.ports}
