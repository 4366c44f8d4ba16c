"""Keep #2481: an alert that fires again went into an incident that was resolved, and was missed."""

from pathlib import Path

from support.alerts import a_body, a_service, an_alert, eventually, over
from support.channels import Channels


async def test_a_resolved_incident_swallows_nothing(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        first = an_alert()
        await service.ingest(a_body(first))
        await service.ingest(a_body(over(first)))

        async def resolved() -> bool:
            return ["resolved"] == [incident.state for incident in await service.incidents()]

        await eventually(resolved, what="the incident resolved")
        await service.ingest(a_body(an_alert()))

        async def opened_again() -> bool:
            return 2 == len(await service.incidents())

        await eventually(opened_again, what="a second incident")
        found = await service.incidents()
    assert [(2, "open"), (1, "resolved")] == [(i.number, i.state) for i in found]
    assert [1, 1] == [i.alerts for i in found]
