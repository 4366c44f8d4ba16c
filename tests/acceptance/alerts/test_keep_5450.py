"""Keep #5450: two incidents that were created at once had the same number."""

import asyncio
from pathlib import Path

from support.alerts import a_body, a_service, eventually
from support.channels import Channels
from support.keep import unrelated


async def test_fifty_at_once_get_fifty_numbers(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        await asyncio.gather(
            *(service.ingest(a_body(unrelated(n, severity="info"))) for n in range(50))
        )

        async def all_there() -> bool:
            return 50 == len(await service.incidents())

        await eventually(all_there, what="50 incidents")
        found = await service.incidents()
    assert list(range(50, 0, -1)) == [incident.number for incident in found]
    assert [1] * 50 == [incident.alerts for incident in found]
