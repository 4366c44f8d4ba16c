"""What alerts cost people: counted from what really happened, with a change proposed."""

from datetime import timedelta
from pathlib import Path

from abops.alerts.service import AlertService
from support.alerts import a_body, a_service, an_alert, over, told
from support.channels import Channels


async def lived(alerts: AlertService, name: str, number: int, **labels: str) -> None:
    alert = an_alert(name, instance=f"h{number}", **labels)
    await alerts.ingest(a_body(alert))
    await told(alerts, number, ("chat", "open"))
    await alerts.ingest(a_body(over(alert)))
    await told(alerts, number, ("chat", "resolve"))


async def test_a_kind_that_nobody_takes_and_that_goes_by_itself_gets_a_proposal(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        for number in range(1, 6):
            await lived(service, "DiskGrows", number, severity="warning")
        period = await service.fatigue()
    assert (5, 5, 0) == (period.now.incidents, period.now.alerts, period.now.acked)
    assert period.now.mttr_s is not None
    assert ["gone within 5 min", "never acknowledged"] == [row.finding for row in period.now.kinds]
    assert all(row.proposal for row in period.now.kinds)
    assert [("DiskGrows", 5)] == [(kind.kind, kind.incidents) for kind in period.kinds]
    assert 0 == period.before.incidents


async def test_pages_are_counted_for_who_was_woken_and_acks_for_how_fast(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(an_alert("ApiErrorStorm")))
        await told(service, 1, ("pd", "open"))
        await service.ack(1, by="ana")
        await service.ingest(a_body(an_alert("AbopsTestAlert", service="a-test")))
        await told(service, 2, ("pd", "open"))  # costs nobody anything that counts
        period = await service.fatigue()
        again = await service.fatigue(days=30)
        report = await service.weekly("demo")
    assert 1 == period.now.acked
    assert period.now.mtta_s is not None
    assert 1 == sum(person.day + person.night for person in period.now.people)
    assert period.now.people == again.now.people
    assert ((1, "ApiErrorStorm: ApiErrorStorm <of> & by the tests"),) == period.unresolved
    assert report.subject.startswith("demo: 1 incident, ")
    assert "week before" in report.text
    assert "&lt;of&gt; &amp; by the tests" in report.html


async def test_a_past_incident_that_looked_alike_is_remembered_with_what_helped(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await lived(service, "ApiErrorStorm", 1)
        await lived(service, "DiskGrows", 2, service="redis")
        await service.note(1, "raised the pool's size", by="ana")
        await service.ingest(a_body(an_alert("ApiErrorStorm", instance="other")))
        found = await service.similar(await told(service, 3, ("chat", "open")))
    assert [1] == [one.number for one in found]
    assert ("raised the pool's size", 1.0) == (found[0].note, found[0].likeness)
    assert "the same alert" == found[0].terms[0]
    assert timedelta() < found[0].lasted < timedelta(seconds=60)
