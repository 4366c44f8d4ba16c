"""What measures and stores the measurements: Prometheus, Alertmanager, exporters, Jaeger."""

from abops.stack import cluster
from abops.stack.part import HttpCheck, Part, Tool
from abops.stack.programs import ABOPS
from abops.stack.site import Site

MIB_PROMETHEUS = 256
LISTEN = "--web.listen-address={}"


def monitoring(site: Site) -> tuple[Part, ...]:
    """Return the monitoring parts."""
    return (
        _prometheus(site),
        _alertmanager(site),
        _node_exporter(site),
        _postgres_exporter(site),
        _redis_exporter(site),
        _blackbox(site),
        _business_exporter(site),
        _jaeger(site),
    )


def _prometheus(site: Site) -> Part:
    return Part(
        name="prometheus",
        argv=(
            Tool("prometheus"),
            f"--config.file={site.layout.config / 'prometheus' / 'prometheus.yml'}",
            f"--storage.tsdb.path={site.data('prometheus')}",
            "--storage.tsdb.retention.time=35d",
            "--enable-feature=exemplar-storage",
            "--web.enable-lifecycle",
            LISTEN.format(site.address("prometheus")),
            f"--web.external-url={site.url('prometheus')}",  # links in alerts lead here
        ),
        check=HttpCheck(site.port("prometheus"), "/-/ready"),
        stop_grace_s=20.0,
        url=site.url("prometheus"),
        memory_mib=MIB_PROMETHEUS,
    )


def _alertmanager(site: Site) -> Part:
    return Part(
        name="alertmanager",
        argv=(
            Tool("alertmanager"),
            f"--config.file={site.layout.config / 'alertmanager' / 'alertmanager.yml'}",
            f"--storage.path={site.data('alertmanager')}",
            LISTEN.format(site.address("alertmanager")),
            f"--web.external-url={site.url('alertmanager')}",
            "--cluster.listen-address=",
            "--data.maintenance-interval=1m",
        ),
        check=HttpCheck(site.port("alertmanager"), "/-/ready"),
        url=site.url("alertmanager"),
        memory_mib=64,
    )


def _node_exporter(site: Site) -> Part:
    return Part(
        name="node-exporter",
        argv=(
            Tool("node-exporter"),
            LISTEN.format(site.address("node-exporter")),
            f"--collector.textfile.directory={site.data('node-exporter')}",
            "--no-collector.systemd",  # on in Debian's build; there may be no systemd
        ),
        check=HttpCheck(site.port("node-exporter"), "/"),
        url=site.url("node-exporter", "/metrics"),
        memory_mib=48,
    )


def _postgres_exporter(site: Site) -> Part:
    return Part(
        name="postgres-exporter",
        argv=(Tool("postgres-exporter"), LISTEN.format(site.address("postgres-exporter"))),
        env={
            # Sizes need a lock: behind a migration's the whole scrape would run into its limit.
            "DATA_SOURCE_URI": (
                f"{site.address('postgres')}/{cluster.DATABASE}?sslmode=disable&lock_timeout=500"
            ),
            "DATA_SOURCE_USER": cluster.READER,
            "DATA_SOURCE_PASS": site.secret("postgres-reader"),
        },
        depends_on=("postgres-setup",),
        check=HttpCheck(site.port("postgres-exporter"), "/"),
        url=site.url("postgres-exporter", "/metrics"),
        memory_mib=48,
    )


def _redis_exporter(site: Site) -> Part:
    return Part(
        name="redis-exporter",
        argv=(
            Tool("redis-exporter"),
            f"-web.listen-address={site.address('redis-exporter')}",
            f"-redis.addr=redis://{site.address('redis')}",
        ),
        check=HttpCheck(site.port("redis-exporter"), "/"),
        url=site.url("redis-exporter", "/metrics"),
        memory_mib=32,
    )


def _blackbox(site: Site) -> Part:
    return Part(
        name="blackbox",
        argv=(
            Tool("blackbox-exporter"),
            f"--config.file={site.layout.config / 'prometheus' / 'blackbox.yml'}",
            LISTEN.format(site.address("blackbox")),
            "--log.level=warn",  # else four lines a probe
        ),
        check=HttpCheck(site.port("blackbox"), "/-/healthy"),
        url=site.url("blackbox"),
        memory_mib=32,
    )


def _business_exporter(site: Site) -> Part:
    port = site.port("business-exporter")
    reader = f"{cluster.READER}:{site.secret('postgres-reader')}"
    return Part(
        name="business-exporter",
        argv=(
            *(str(ABOPS), "observability", "exporter"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ),
        env={
            "ABOPS_EXPORTER_DATABASE_URL": (
                f"postgresql://{reader}@{site.address('postgres')}/{cluster.DATABASE}"
            ),
            "ABOPS_EXPORTER_REDIS_URL": f"redis://{site.address('redis')}/1",
        },
        cwd=site.layout.root,
        depends_on=("migrate", "redis"),
        check=HttpCheck(port, "/metrics"),
        url=site.url("business-exporter", "/metrics"),
        memory_mib=96,
    )


def _jaeger(site: Site) -> Part:
    return Part(
        name="jaeger",
        argv=(Tool("jaeger"), "--config", str(site.layout.config / "jaeger.yml")),
        cwd=site.data("jaeger"),
        check=HttpCheck(site.port("jaeger-health"), "/status"),
        url=site.url("jaeger", "/api/v3/services"),
        without="no traces: spans are dropped; metrics, alerts and logs are complete",
        memory_mib=128,
    )
