"""Keep #6300: acknowledging took seconds when many incidents were open."""

from pathlib import Path

from abops.alerts.store import incidents as rows
from abops.alerts.store.database import migrate, open_writer
from abops.alerts.store.records import Changes, IncidentRecord
from abops.kernel.clock import SystemClock
from support.alerts import a_service
from support.channels import Channels

OPEN = 50_000
LIMIT_S = 0.1


def an_open_incident(number: int, at: float) -> IncidentRecord:
    """Return one of many."""
    return IncidentRecord(
        number=number,
        title=f"incident {number}",
        state="open",
        severity="warning",
        service=f"service-{number}",
        env="local",
        team="dev",
        opened_at=at,
        updated_at=at,
        started_at=at,
        quiet_since=None,
        acked_at=None,
        acked_by="",
        resolved_at=None,
        recurs=None,
        alerts=1,
        firing=1,
        revision=1,
        channels=(),
        runbook_url="",
        description="",
    )


async def test_one_of_fifty_thousand_open_incidents_is_acked_within_100_ms(
    channels: Channels, tmp_path: Path
) -> None:
    clock = SystemClock()
    engine = open_writer(tmp_path / "alerts.db")
    migrate(engine)
    with engine.begin() as connection:
        at = clock.now().timestamp()
        rows.write(
            connection,
            Changes(incidents={n: an_open_incident(n, at) for n in range(1, OPEN + 1)}),
        )
    engine.dispose()
    async with a_service(channels, tmp_path) as service:
        took = []
        for number in (1, OPEN // 2, OPEN - 1, OPEN, 7):
            began = clock.monotonic()
            acked = await service.ack(number, by="ana")
            took.append(clock.monotonic() - began)
            assert ("acked", "ana") == (acked.state, acked.acked_by)
    assert sorted(took)[len(took) // 2] < LIMIT_S, took
