"""Keep #2087: an incident stayed open when the last of its alerts was over."""

from pathlib import Path

from support.alerts import a_body, a_service, an_alert, eventually, over, told
from support.channels import Channels


async def test_an_incident_ends_with_the_last_of_its_alerts(
    channels: Channels, tmp_path: Path
) -> None:
    alerts = [an_alert(instance=name) for name in ("a", "b", "c")]
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(*alerts))
        await told(service, 1, ("pd", "open"), ("chat", "open"))
        await service.ingest(a_body(*(over(alert) for alert in alerts[:2])))

        async def one_left() -> bool:
            return 1 == (await service.incident(1)).summary.firing

        await eventually(one_left, what="one alert left")
        assert "open" == (await service.incident(1)).summary.state
        await service.ingest(a_body(over(alerts[2])))
        detail = await told(service, 1, ("pd", "resolve"), ("chat", "resolve"))
    assert ("resolved", 3, 0) == (
        detail.summary.state,
        detail.summary.alerts,
        detail.summary.firing,
    )
