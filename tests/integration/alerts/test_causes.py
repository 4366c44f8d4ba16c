"""Where an incident may have begun: found beside the alerts, told, remembered."""

from pathlib import Path

from support.alert_stores import in_store
from support.alerts import a_body, a_service, an_alert, eventually, over, told
from support.channels import Channels


async def test_the_cause_is_on_the_incident_and_in_its_timeline(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert("ApiErrorStorm"), an_alert("ProbeFailed")))

        async def suspected() -> bool:
            return any((await service.incident(1)).causes)

        await told(service, 1, ("pd", "open"))
        await eventually(suspected, what="a suspected cause")
        detail = await service.incident(1)
    assert ["api"] == [cause.entity for cause in detail.causes]
    assert "api" == detail.summary.cause
    assert any(entry.kind == "cause" for entry in detail.timeline)
    assert any("no past incidents" in term for term in detail.causes[0].missing)


async def test_an_incident_that_is_over_counts_for_the_next(
    channels: Channels, tmp_path: Path
) -> None:
    first = an_alert("ApiErrorStorm")
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(first))
        await told(service, 1, ("pd", "open"))
        await service.ingest(a_body(over(first)))

        async def counted() -> bool:
            return bool(in_store(tmp_path, "SELECT 1 FROM learned WHERE name = 'history'"))

        await eventually(counted, what="the first incident counted")
    async with a_service(channels, tmp_path) as service:  # it remembers after a restart
        await service.ingest(a_body(an_alert("ApiErrorStorm")))
        await told(service, 2, ("pd", "open"))

        async def suspected() -> bool:
            return any((await service.incident(2)).causes)

        await eventually(suspected, what="a suspected cause")
        terms = (await service.incident(2)).causes[0].missing
    assert not any("no past incidents" in term for term in terms)
