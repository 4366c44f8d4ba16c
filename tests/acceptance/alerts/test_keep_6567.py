"""Keep #6567: people were told before correlation, once for each alert."""

from pathlib import Path

from support.alerts import a_body, a_service, an_alert, told
from support.channels import Channels


async def test_correlation_comes_before_telling(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(*(an_alert(instance=f"host-{n}") for n in range(100))))
        detail = await told(service, 1, ("pd", "open"), ("chat", "open"))
        found = await service.incidents()
    assert [(1, 100)] == [(incident.number, incident.alerts) for incident in found]
    assert [("chat", "open"), ("pd", "open")] == sorted(
        (d.channel, d.kind) for d in detail.deliveries if d.kind == "open"
    )
