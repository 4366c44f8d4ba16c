"""Keep #2776: an incident was made of the first alert of a rule that asks for more."""

from pathlib import Path

from support.alerts import a_body, a_service, an_alert, told
from support.channels import Channels
from support.keep import asking, settled, unrelated


async def test_there_is_no_incident_before_as_many_alerts_fire_as_the_route_asks_for(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path, routing=asking(3)) as service:
        await service.ingest(a_body(an_alert(instance="a")))
        await service.ingest(a_body(an_alert(instance="b")))
        await settled(service, 2)
        assert () == await service.incidents()
        await service.ingest(a_body(an_alert(instance="c")))
        detail = await told(service, 1, ("pd", "open"), ("chat", "open"))
        assert [1] == [incident.number for incident in await service.incidents()]
    assert (3, 3) == (detail.summary.alerts, detail.summary.firing)
    assert 1 == len(channels.received("pagerduty"))


async def test_two_that_have_nothing_in_common_do_not_add_up(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path, routing=asking(2)) as service:
        await service.ingest(a_body(unrelated(1), unrelated(2)))
        await settled(service, 2)
        assert () == await service.incidents()
    assert [] == channels.received("pagerduty")
