"""Keep #5212: a threshold counted alerts that were over."""

from pathlib import Path

from support.alerts import a_body, a_service, an_alert, over, told
from support.channels import Channels
from support.keep import asking, settled


async def test_alerts_that_are_over_do_not_count(channels: Channels, tmp_path: Path) -> None:
    first, second, third = (an_alert(instance=name) for name in ("a", "b", "c"))
    async with a_service(channels, tmp_path, routing=asking(3)) as service:
        await service.ingest(a_body(first, second))
        await settled(service, 2)
        await service.ingest(a_body(over(first)))
        await service.ingest(a_body(third))
        await settled(service, 3)
        assert () == await service.incidents()
        await service.ingest(a_body(an_alert(instance="d")))
        await told(service, 1, ("pd", "open"))


async def test_the_same_alert_twice_counts_once(channels: Channels, tmp_path: Path) -> None:
    alert = an_alert(instance="a")
    again = {**alert, "startsAt": an_alert()["startsAt"]}
    async with a_service(channels, tmp_path, routing=asking(2)) as service:
        await service.ingest(a_body(alert))
        await service.ingest(a_body(again))
        await settled(service, 1)
        assert () == await service.incidents()
