"""The exporter in front of a real primary with a real replica."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from abops.clients.postgres import PostgresReader
from abops.observability.business import Sample
from abops.observability.postgres_stats import PostgresStatistics
from abops.stack.programs import POSTGRES_USER, drops_root, postgres_prefix
from abops.stack.tools import find_tool
from support.servers import Postgres, Server, free_port, running, start_postgres, wait_until

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SLOT = "standby1"


@contextmanager
def start_replica(primary: Postgres, log: Path) -> Iterator[Server]:
    """Run a copy of `primary` that follows it through a slot."""
    programs, port = find_tool("postgres").resolve().parent, free_port()
    with tempfile.TemporaryDirectory(prefix="abops-pg-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        if drops_root():
            shutil.chown(home, POSTGRES_USER)
        copy = [programs / "pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port)]
        copy += ["-U", primary.user, "-D", home / "data", "-R", "-C", "-S", SLOT, "-c", "fast"]
        subprocess.run(
            [*postgres_prefix(), *copy],
            check=True,
            cwd="/",
            env={"PGPASSWORD": primary.password, "PATH": "/usr/bin:/bin"},
        )
        argv = [*postgres_prefix(), programs / "postgres", "-D", home / "data", "-p", str(port)]
        argv += ["-c", "listen_addresses=127.0.0.1", "-k", home]
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        with running(
            argv,
            port=port,
            log=log,
            ready=lambda: subprocess.run(ready, check=False).returncode == 0,
            cwd=Path("/"),
            stop_signal=primary.stop_signal,
        ) as server:
            yield server


@pytest.fixture(scope="module")
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with start_postgres(tmp_path_factory.mktemp("primary")) as server:
        yield server


def value(samples: list[Sample], metric: str, *labels: str) -> float | None:
    return next((s.value for s in samples if (s.metric, s.labels) == (metric, labels)), None)


def test_a_replica_that_does_not_replay_gets_later_all_the_time(
    primary: Postgres, tmp_path: Path
) -> None:
    reader = PostgresReader(primary.dsn())
    statistics = PostgresStatistics(reader)
    with (
        psycopg.connect(primary.dsn(), autocommit=True) as admin,
        start_replica(primary, tmp_path / "replica.log") as replica,
        psycopg.connect(
            f"postgresql://{primary.user}:{primary.password}@127.0.0.1:{replica.port}/postgres",
            autocommit=True,
        ) as follower,
    ):

        def is_level() -> bool:
            statistics.read(NOON)
            where = "SELECT pg_current_wal_lsn() = replay_lsn FROM pg_stat_replication"
            return admin.execute(where).fetchall() == [(True,)]

        wait_until(is_level, what="the replica to be level")
        follower.execute("SELECT pg_wal_replay_pause()")
        admin.execute("CREATE TABLE written (id int)")
        late = [
            value(
                statistics.read(NOON + timedelta(minutes=minute)),
                "abops_pg_replication_lag_seconds",
                SLOT,
            )
            for minute in (1, 2, 7)
        ]
        samples = statistics.read(NOON + timedelta(minutes=8))

    reader.close()
    assert 1.0 == value(samples, "abops_pg_replicas")
    assert 1.0 == value(samples, "abops_pg_slot_active", SLOT)
    assert [0.0, 60.0, 360.0] == [round(seconds or 0, -1) for seconds in late]


def test_a_replica_that_is_gone_leaves_its_slot_behind(primary: Postgres) -> None:
    reader = PostgresReader(primary.dsn())
    statistics = PostgresStatistics(reader)

    def left() -> bool:
        samples = statistics.read(NOON)
        return (
            value(samples, "abops_pg_replicas") == 0
            and value(samples, "abops_pg_slot_active", SLOT) == 0
        )

    with psycopg.connect(primary.dsn(), autocommit=True) as admin:
        if not admin.execute("SELECT FROM pg_replication_slots").fetchall():
            admin.execute("SELECT pg_create_physical_replication_slot(%s)", [SLOT])

    wait_until(left, what="the slot to lose its reader")

    lag = value(statistics.read(NOON), "abops_pg_replication_lag_seconds", SLOT)
    reader.close()
    assert lag is None
