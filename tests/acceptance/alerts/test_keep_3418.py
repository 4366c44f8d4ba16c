"""Keep #3418: incidents were created from alerts that did not fire."""

from pathlib import Path

from support.alerts import a_body, a_service, an_alert, eventually, over
from support.channels import Channels
from support.keep import unrelated


async def test_what_does_not_fire_opens_no_incident(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        result = await service.ingest(a_body(over(an_alert())))
        await service.ingest(a_body(unrelated(1)))

        async def one_there() -> bool:
            return bool(await service.incidents())

        await eventually(one_there, what="the incident of the alert that fires")
        found = await service.incidents()
    assert 1 == result.accepted
    assert [1] == [incident.alerts for incident in found]
    assert unrelated(1)["labels"]["service"] == found[0].service
