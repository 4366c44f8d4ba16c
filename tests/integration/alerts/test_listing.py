"""What lists are made from says the same as each incident read in full, on both stores."""

from pathlib import Path

from abops.alerts.route.window import Schedule
from support.alerts import a_body, a_service, an_alert, eventually
from support.channels import Channels


async def test_incidents_in_short_are_those_in_full(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        for part in ("api", "bot", "disk"):
            await service.ingest(a_body(an_alert(f"Broken{part}", service=part)))

        async def three() -> bool:
            return len(await service.incidents()) == 3

        await eventually(three, what="three incidents")
        await service.ack(2, by="ana")
        await service.resolve(1, by="ana")
        full = await service.incidents()
        short = await service.briefs(limit=10)
        chosen = await service.summaries([2, 99, 1])
        nobody = await service.upcoming([2, 99])  # nothing escalates here
    fields = short[0].__struct_fields__
    assert [[getattr(i, f) for f in fields] for i in full] == [
        [getattr(i, f) for f in fields] for i in short
    ]
    assert {} == nobody
    assert [2, 1] == [incident.number for incident in chosen]
    assert {incident.number: incident for incident in full}[2] == chosen[0]


async def test_a_window_that_is_over_keeps_its_name(channels: Channels, tmp_path: Path) -> None:
    weekly = Schedule(("sat",), "02:00", "2h")
    async with a_service(channels, tmp_path) as service:
        number = await service.window(
            "Vacuum", 'service="api"', reason="locks", by="olga", schedule=weekly
        )
        await service.end_window(number, by="olga")
        assert {number: "Vacuum"} == await service.window_names()
