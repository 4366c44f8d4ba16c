import os
import subprocess
from pathlib import Path

from support.servers import start_postgres
from support.telemetry import WORKLOAD_PYTHON, parse_samples

PROBE = Path(__file__).parent / "postgres_probe.py"
DURATION = "db_client_operation_duration_seconds"


def test_an_asynchronous_engine_tells_its_operations_and_its_pool(tmp_path: Path) -> None:
    with start_postgres(tmp_path / "postgres") as postgres:
        page = subprocess.run(
            [WORKLOAD_PYTHON, PROBE],
            env={**os.environ, "PROBE_DSN": postgres.dsn(scheme="postgresql+asyncpg")},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
    counts = parse_samples(page, f"{DURATION}_count")
    select, delete = (
        f'{{db_operation_name="{name}",db_system_name="postgresql"}}'
        for name in ("SELECT", "DELETE")
    )
    assert (2, 1) == (counts[select], counts[delete])
    assert parse_samples(page, f"{DURATION}_sum")[select] >= 0.1
    assert {"": 1.0} == parse_samples(page, "db_client_connection_timeouts_total")
    assert {"": 1.0} == parse_samples(page, "db_client_connection_max")
    assert {'{state="used"}': 1.0, '{state="idle"}': 0.0} == parse_samples(
        page, "db_client_connection_count"
    )
    assert {"": 0.0} == parse_samples(page, "db_client_connection_pending_requests")
