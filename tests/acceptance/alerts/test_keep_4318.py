"""Keep #4318: the threshold of a rule was lost on the way, and each alert opened an incident."""

from pathlib import Path

from support.alerts import a_body, a_service, an_alert, told
from support.channels import Channels
from support.keep import asking, settled


async def test_the_threshold_is_there_after_a_restart(channels: Channels, tmp_path: Path) -> None:
    routing = asking(3)
    async with a_service(channels, tmp_path, routing=routing) as service:
        await service.ingest(a_body(an_alert(instance="a"), an_alert(instance="b")))
        await settled(service, 2)
    async with a_service(channels, tmp_path, routing=routing) as service:
        assert () == await service.incidents()
        await service.ingest(a_body(an_alert(instance="c")))
        await told(service, 1, ("pd", "open"))
        (incident,) = await service.incidents()
    assert 3 == incident.alerts


async def test_from_then_on_every_alert_joins_and_pages_nobody_again(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path, routing=asking(2)) as service:
        await service.ingest(a_body(an_alert(instance="a"), an_alert(instance="b")))
        await told(service, 1, ("pd", "open"))
        await service.ingest(a_body(an_alert(instance="c"), an_alert(instance="d")))
        await settled(service, 4)
        (incident,) = await service.incidents()
    assert (4, "alerts") == (incident.alerts, incident.shape)
    assert 1 == len(channels.received("pagerduty"))
