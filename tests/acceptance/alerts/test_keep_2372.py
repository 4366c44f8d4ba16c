"""Keep #2372: each alert of a batch cost its own round trips to the database."""

from pathlib import Path

import pytest

from support.alerts import a_body, a_service, an_alert, eventually, told
from support.channels import Channels
from support.keep import statements


@pytest.mark.parametrize("alerts", [1, 100, 400])
async def test_a_batch_is_stored_by_three_statements_at_most(
    channels: Channels, tmp_path: Path, alerts: int
) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert(instance="before")))  # what a start catches up
        await told(service, 1, ("pd", "open"))
        with statements() as seen:
            await service.ingest(a_body(*(an_alert(instance=f"i{n}") for n in range(alerts))))
            tables = (" INTO event ", " FROM event ", " INTO rejected ")
            stored = [sql for sql in seen if any(table in sql for table in tables)]

            async def correlated() -> bool:
                found = await service.incidents()
                return [alerts + 1] == [incident.alerts for incident in found]

            await eventually(correlated, what="one incident")
            written = [sql for sql in seen if " member " in sql and sql.startswith("INSERT")]
    assert 3 >= len(stored), stored
    assert 1 == len(written)
