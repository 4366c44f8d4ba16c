"""Which address the metrics of bot, worker and beat bind: loopback, unless they are told."""

import ipaddress
from pathlib import Path

import pytest

from support.servers import free_port, wait_until
from support.workload import COMMANDS, Workload

LISTEN = "0A"
ELSEWHERE = "127.0.0.2"


def bound(port: int) -> set[str]:
    """Return the IPv4 addresses at which somebody listens on `port`; Linux writes them in hex."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = [row[1].split(":") for row in rows if row[3] == LISTEN]
    return {
        str(ipaddress.IPv4Address(bytes.fromhex(address)[::-1]))
        for address, number in local
        if int(number, 16) == port
    }


@pytest.mark.parametrize("process", ["bot", "worker", "beat"])
def test_metrics_stay_on_loopback(workload: Workload, process: str) -> None:
    assert {"127.0.0.1"} == bound(workload.servers[process].port)


@pytest.mark.parametrize("process", ["bot", "worker", "beat"])
def test_the_environment_names_another_address(
    workload: Workload, process: str, tmp_path: Path
) -> None:
    port = free_port()
    with workload.process(
        f"{process}-elsewhere",
        *COMMANDS[process],
        port=port,
        ready=lambda: bool(bound(port)),
        METRICS_PORT=str(port),
        METRICS_HOST=ELSEWHERE,
        # On a queue of its own: it takes and sends nothing that another test waits for.
        CELERY_BROKER_URL=f"redis://127.0.0.1:{workload.redis.port}/9",
        TELEGRAM_API_URL="http://127.0.0.1:9",
        BEAT_SCHEDULE_FILE=str(tmp_path / "schedule"),
    ):
        wait_until(lambda: {ELSEWHERE} == bound(port), what="the other address", timeout_s=5)
