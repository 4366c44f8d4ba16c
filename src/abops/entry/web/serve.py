"""Running the alert service: from options to a process that listens."""

import sys
from pathlib import Path
from typing import Final

import msgspec
import structlog
import uvicorn

from abops.alerts.access.proxy import networks_of
from abops.alerts.model import Endpoints, ServiceConfig, ServiceSettings
from abops.alerts.rootcause.live import platform_edges
from abops.alerts.route.from_inventory import routing_of
from abops.alerts.service import AlertService
from abops.alerts.service.access import Access
from abops.alerts.store.place import place_of
from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from abops.inventory.load import load_inventory
from abops.kernel import logging
from abops.kernel.errors import OpsError
from abops.kernel.quantities import parse_duration

KEEP_ALIVE_S: Final = 75
_log = structlog.get_logger()
STOP_WITHIN_S: Final = 3
"""Seconds for open streams: a browser that shows incidents must not hold up a restart."""


class EndpointsError(OpsError):
    """The file of endpoints cannot be used."""

    hint = (
        "It is one JSON object; its keys are those of `Endpoints` in docs/reference/alert-api.md."
    )


class Options(msgspec.Struct, frozen=True):
    """What `abops alerts serve` was given."""

    inventory: Path
    env: str
    host: str
    port: int
    data_dir: Path
    secrets_dir: Path | None
    endpoints: Path | None
    alertmanager: str | None
    resolve_after: str | None
    inbox_url: str | None
    prometheus: str | None = None
    jaeger: str | None = None
    logs: str | None = None
    telegram: str = "webhook"
    allow_unlinked: bool | None = None
    trust_proxy: tuple[str, ...] = ()
    store: str | None = None
    store_file: Path | None = None


def run(options: Options) -> None:
    """Listen until told to stop."""
    logging.configure("abops-alerts")
    sources = Sources(
        inventory=options.inventory,
        prometheus=options.prometheus,
        jaeger=options.jaeger,
        logs=options.logs,
    )
    place = place_of(options.data_dir, given=options.store, file=options.store_file)
    service = AlertService(config_of(options), place=place)
    access = Access(options.data_dir, place=place)
    _greet(access, service.config.endpoints.service_url)
    app = create_app(
        service,
        inbox_url=options.inbox_url,
        sources=sources,
        allow_unlinked=options.allow_unlinked,
        poll_telegram=options.telegram == "poll",
        access=access,
        proxies=networks_of(options.trust_proxy),
    )
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        access_log=False,
        log_level="warning",
        proxy_headers=False,  # whom a proxy vouches for is decided at the gate
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )


def _greet(access: Access, url: str) -> None:
    """As long as nobody administers: write the link that makes the first admin.

    A terminal shows the link; a log is told only where it is.
    """
    access.open()
    path = access.first_link(url)
    access.close()
    if path is None:
        return
    if sys.stdout.isatty():
        sys.stdout.write(f"The first admin signs in here, once:\n{path.read_text()}\n")
    else:
        _log.info("nobody administers yet; the first admin's link is in a file", file=str(path))


def config_of(options: Options) -> ServiceConfig:
    """Return the configuration that the options describe; raises EndpointsError, InventoryError."""
    inventory = load_inventory(options.inventory)
    if options.env not in inventory.environments:
        known = ", ".join(inventory.environments)
        raise EnvironmentUnknownError(f"there is no environment {options.env!r}; known: {known}")
    settings = ServiceSettings()
    if options.resolve_after is not None:
        seconds = parse_duration(options.resolve_after).total_seconds()
        settings = msgspec.structs.replace(settings, resolve_after_s=seconds)
    return ServiceConfig(
        env=options.env,
        routing=routing_of(inventory),
        data_dir=options.data_dir,
        endpoints=read_endpoints(options.endpoints, options.secrets_dir),
        settings=settings,
        calls=tuple((edge.source, edge.target) for edge in platform_edges(inventory)),
        alertmanager_url=options.alertmanager,
        jaeger_url=options.jaeger,
        name=inventory.name,
        keep_events_s=inventory.alerts.retention.events.total_seconds(),
        keep_incidents_s=inventory.alerts.retention.incidents.total_seconds(),
    )


class EnvironmentUnknownError(OpsError):
    """There is no such environment."""

    hint = "Name one of `environments` in the inventory."
    exit_code = 2


def read_endpoints(path: Path | None, secrets_dir: Path | None) -> Endpoints:
    """Read where the outside systems answer; `secrets_dir` wins over the file's."""
    endpoints = Endpoints()
    if path is not None:
        try:
            endpoints = msgspec.json.decode(path.read_bytes(), type=Endpoints)
        except (OSError, msgspec.DecodeError) as error:
            raise EndpointsError(f"{path} cannot be used: {error}") from error
    if secrets_dir is not None:
        endpoints = msgspec.structs.replace(endpoints, secrets_dir=str(secrets_dir))
    return endpoints
