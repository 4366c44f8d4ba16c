"""The data stores, and the steps that make them ready for the workload."""

import signal
import sys

from abops.stack import backups, cluster
from abops.stack.part import CommandCheck, Part, RedisCheck, Tool
from abops.stack.ports import HOST
from abops.stack.site import Site


def stores(site: Site) -> tuple[Part, ...]:
    """Return PostgreSQL, Redis, and the steps around them."""
    return (_postgres_cluster(site), _postgres(site), _postgres_setup(site), _redis(site))


def _postgres_cluster(site: Site) -> Part:
    return Part(
        name="postgres-cluster",
        argv=(sys.executable, "-m", "abops.stack.cluster"),
        cwd=site.layout.root,
        env={"ABOPS_STACK_DIR": str(site.layout.state)},
        runs_once=True,
    )


def _postgres(site: Site) -> Part:
    port = str(site.port("postgres"))
    settings = {
        "listen_addresses": HOST,
        "port": port,
        "unix_socket_directories": cluster.socket_folder(site),
        "shared_preload_libraries": "pg_stat_statements",
        "wal_level": "replica",
        "track_io_timing": "on",
        "log_lock_waits": "on",
        "max_connections": "100",
        **backups.archiving(site),
    }
    return Part(
        name="postgres",
        argv=(
            Tool("postgres"),
            "-D",
            str(cluster.data_folder(site)),
            *(word for key, value in settings.items() for word in ("-c", f"{key}={value}")),
        ),
        as_postgres=True,
        depends_on=("postgres-cluster",),
        # It answers "starting up" for as long as it recovers from a crash: asked by its own tool.
        check=CommandCheck((Tool("postgres", "pg_isready"), "-q", "-h", HOST, "-p", port)),
        # Fast shutdown: sessions are cut, everything is written. A TERM would wait for clients.
        stop_signal=signal.SIGINT,
        stop_grace_s=60.0,
        stops_first=True,
        url=f"postgresql://{cluster.SUPERUSER}@{site.address('postgres')}/{cluster.DATABASE}",
        memory_mib=160,
    )


def _postgres_setup(site: Site) -> Part:
    return Part(
        name="postgres-setup",
        argv=(
            Tool("postgres", "psql"),
            "-XqAt",
            *("-h", HOST, "-p", str(site.port("postgres"))),
            *("-U", cluster.SUPERUSER, "-d", "postgres"),
            *("-f", str(cluster.setup_script(site))),
        ),
        env={
            "PGPASSFILE": str(cluster.password_file(site)),
            "PGOPTIONS": "-c client_min_messages=warning",
        },
        depends_on=("postgres",),
        runs_once=True,
    )


def _redis(site: Site) -> Part:
    port = site.port("redis")
    return Part(
        name="redis",
        argv=(
            Tool("redis-server"),
            *("--bind", HOST, "--port", str(port), "--dir", str(site.data("redis"))),
            *("--appendonly", "yes", "--save", "", "--daemonize", "no"),
        ),
        check=RedisCheck(port),
        url=f"redis://{site.address('redis')}",
        memory_mib=32,
    )
