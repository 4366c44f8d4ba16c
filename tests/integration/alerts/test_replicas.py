"""Two replicas on one PostgreSQL, as processes of their own: the one that leads dies by kill -9."""

import signal
from pathlib import Path

import psycopg
import pytest

from abops.alerts.store import place
from abops.kernel.clock import SystemClock
from support.alert_stores import new_database
from support.alerts import Process, a_process, an_alert
from support.channels import Channels
from support.servers import Postgres, wait_until

from .test_duty_process import LATE_AT_MOST_S, SECOND_LEVEL_S, inventory, opened, pages

TAKEN_OVER_S = 2.0
ALERTS = 60


@pytest.fixture
def address(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    found = new_database(postgres)
    monkeypatch.setenv(place.VARIABLE, found)
    return found


def grouped(address: str) -> int:
    """Return how many alerts are in an incident."""
    with psycopg.connect(address) as session:
        found = session.execute("SELECT count(*) FROM alert WHERE incident IS NOT NULL").fetchone()
    return int(found[0]) if found else 0


def leads(process: Process) -> bool:
    """Tell whether a replica says that it leads."""
    return "abops_alerts_leads 1.0" in process.client.get("/metrics").text


def taken(process: Process, number: int) -> bool:
    """Send an alert; tell whether it was acknowledged."""
    return process.post(an_alert(f"Rule{number}", service=f"part-{number}")).status_code == 200


def test_what_either_replica_acknowledged_is_in_an_incident_after_the_lead_died(
    channels: Channels, tmp_path: Path, address: str
) -> None:
    acknowledged = 0
    # Who is up first leads.
    with a_process(channels, tmp_path / "a") as first, a_process(channels, tmp_path / "b") as other:
        assert (True, False) == (leads(first), leads(other))
        for number in range(ALERTS):
            if number == ALERTS // 2:
                first.server.stop(sig=signal.SIGKILL)
            either = other if number % 2 or number >= ALERTS // 2 else first
            acknowledged += taken(either, number)
        wait_until(lambda: grouped(address) == acknowledged, what="all of them", timeout_s=20)
        assert leads(other)
        assert ALERTS == acknowledged


def test_the_next_level_is_paged_in_time_by_the_replica_that_is_left(
    channels: Channels, tmp_path: Path, address: str
) -> None:
    del address
    file = str(inventory(tmp_path))
    with (
        a_process(channels, tmp_path / "a", "--inventory", file) as first,
        a_process(channels, tmp_path / "b", "--inventory", file) as second,
    ):
        second.post(an_alert())
        wait_until(lambda: opened(second), what="an incident", timeout_s=20)
        wait_until(lambda: len(pages(second)) == 1, what="level 1", timeout_s=10)
        first.server.stop(sig=signal.SIGKILL)
        killed = SystemClock().now().timestamp()
        due = max(pages(second)[0]["at"] + SECOND_LEVEL_S, killed + TAKEN_OVER_S)
        wait_until(lambda: len(pages(second)) == 2, what="level 2", timeout_s=20)
        assert [(1, "dev"), (2, "devops")] == [(p["level"], p["team"]) for p in pages(second)]
        assert pages(second)[1]["at"] - due <= LATE_AT_MOST_S
