"""The scheduler's metrics on the loopback: read from the catalog whenever somebody asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from abops.backup.model import Home, Site
from abops.backup.postgres.site import load_site
from abops.backup.schedule.agenda import BACKUPS
from abops.backup.service.retaining import RetentionService
from abops.backup.service.scheduling.figures import FAMILIES, Family, Keyed, Known, Sample, figures
from abops.backup.service.scheduling.public_names import PUBLIC
from abops.backup.service.scheduling.scheduler import Scheduler
from abops.backup.store.database import Catalog
from abops.backup.store.entries import get
from abops.backup.store.records import Bundle, Check, Drill, MirrorRun, Run, Verdict
from abops.backup.store.schema import run as run_table
from abops.backup.store.sets import sets
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

_LAST_CHECKS: Final = 1_000
_log = structlog.get_logger()


def read_known(home: Home, catalog: Catalog, clock: Clock) -> Known:
    """Return what the figures are made of, of one moment."""
    site = load_site(home)
    retention = RetentionService(home, site, clock=clock)
    promises = {place.name: retention.promise(place) for place in site.sources}
    retention.catalog.close()
    with catalog.read() as connection:
        kept = sets(connection)
        return Known(
            now=clock.now().timestamp(),
            places=site.destinations,
            timetable=site.schedule,
            stanza=site.stanza,
            pg_version=_version(site),
            sets=kept,
            runs=get(connection, Run, run_table.c.kind.in_(BACKUPS)),
            checks=get(connection, Check, newest="ended", limit=_LAST_CHECKS),
            verdicts=get(connection, Verdict),
            drills=get(connection, Drill, newest="ended"),
            mirrors=get(connection, MirrorRun, newest="started", limit=_LAST_CHECKS),
            bundles=get(connection, Bundle),
            keys=tuple(
                Keyed(
                    place.name,
                    place.generation,
                    home.passphrase(place.name, place.generation).stat().st_mtime,
                )
                for place in site.sources
            ),
            promises=promises,
        )


def _version(site: Site) -> str:
    """Return the version of the protected cluster, empty while its folder is away."""
    try:
        return (site.cluster.data / "PG_VERSION").read_text().strip()
    except OSError:
        return ""


class _Figures(Collector):
    """The figures as they are when somebody asks. A counter never goes back."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._catalog = Catalog(scheduler.home.catalog)
        self._highest: dict[tuple[str, tuple[str, ...]], float] = {}

    def collect(self) -> Iterator[Metric]:
        """Return a family for each figure; only our own when the catalog cannot be read."""
        yield from self._own()
        try:
            known = read_known(self._scheduler.home, self._catalog, self._scheduler.clock)
        except (OpsError, OSError) as error:
            _log.warning("no figures", error=str(error))
            return
        for family, samples in figures(known, (*FAMILIES, *PUBLIC)):
            yield self._family(family, samples)

    def _own(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "abops_backup_scheduler_leads",
            "Whether this scheduler acts",
            float(self._scheduler.lead.holds()),
        )
        yield GaugeMetricFamily(
            "abops_backup_scheduler_last_tick_timestamp_seconds",
            "When it last looked at the timetable",
            self._scheduler.last_tick,
        )

    def _family(self, family: Family, samples: list[Sample]) -> Metric:
        if family.kind == "gauge":
            gauge = GaugeMetricFamily(family.name, family.text, labels=family.labels)
            for one in samples:
                gauge.add_metric(one.labels, one.value)
            return gauge
        counter = CounterMetricFamily(family.name, family.text, labels=family.labels)
        for one in samples:
            key = (family.name, one.labels)
            # A run counted as given up may succeed after all, in rare cases: a counter that
            # falls would be read as one that began anew.
            self._highest[key] = max(self._highest.get(key, 0.0), one.value)
            counter.add_metric(one.labels, self._highest[key])
        return counter


@contextmanager
def serve_metrics(scheduler: Scheduler, port: int) -> Iterator[None]:
    """Answer scrapes while the block runs; on no port with 0."""
    if not port:
        yield
        return
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Figures(scheduler))
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
