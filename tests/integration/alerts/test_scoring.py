"""How likely it is that somebody has to act: learned from people, shown, never in the way."""

from pathlib import Path

import pytest

from abops.alerts.model import IncidentDetail
from abops.alerts.service import AlertService, scoring
from support.alert_stores import in_store
from support.alerts import a_body, a_service, an_alert, eventually, over, told
from support.channels import Channels


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SETTLE_S", 0.01)


async def lived(
    service: AlertService, folder: Path, name: str, number: int, *, acted: bool
) -> None:
    """Let an incident open, be judged, be answered by somebody, and end."""
    alert = an_alert(name, severity="warning", instance=f"h{number}")
    await service.ingest(a_body(alert))

    async def judged() -> bool:
        found = f"SELECT 1 FROM learned WHERE name = 'score/{number}'"  # noqa: S608 - a number
        return bool(in_store(folder, found))

    await eventually(judged, what="an incident judged")
    if acted:
        await service.ack(number, by="ana")
    else:
        await service.noise(number, by="ana")
    await service.ingest(a_body(over(alert)))
    await service.resolve(number, by="ana")


async def taught(service: AlertService, folder: Path, lives: int = 20) -> None:
    """Have people act on one kind and call another one noise."""
    for number in range(1, lives + 1):
        acted = number % 2 == 0
        await lived(service, folder, "PaymentsFail" if acted else "DiskGrows", number, acted=acted)

    async def labelled() -> bool:
        return in_store(folder, "SELECT count(*) FROM label") == [(lives,)]

    await eventually(labelled, what="every incident labelled")


async def scored(service: AlertService, number: int) -> IncidentDetail:
    async def done() -> bool:
        return (await service.incident(number)).summary.score is not None

    await told(service, number)
    await eventually(done, what="a score")
    return await service.incident(number)


async def test_what_people_did_decides_the_score_of_the_next(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await taught(service, tmp_path)
        await service.ingest(a_body(an_alert("PaymentsFail", severity="warning")))
        bad = (await scored(service, 21)).summary
    async with a_service(channels, tmp_path) as service:  # it remembers after a restart
        await service.ingest(a_body(an_alert("DiskGrows", severity="warning", service="redis")))
        calm = (await scored(service, 22)).summary
    assert bad.score is not None
    assert calm.score is not None
    assert bad.score > 0.6
    assert calm.score < 0.4
    assert 3 == len(bad.score_terms)
    assert any("this kind often needs somebody" in term for term in bad.score_terms)


async def test_no_score_holds_what_is_critical(channels: Channels, tmp_path: Path) -> None:
    async with a_service(channels, tmp_path) as service:
        await taught(service, tmp_path)
        await service.ingest(a_body(an_alert("DiskGrows", severity="critical")))
        detail = await told(service, 21, ("pd", "open"), ("chat", "open"))
        low = (await scored(service, 21)).summary.score
    assert low is not None
    assert low < 0.5
    pages = [d for d in detail.deliveries if (d.channel, d.kind) == ("pd", "open")]
    assert pages[0].latency_s is not None
    assert pages[0].latency_s < 10


async def test_an_incident_that_counts_as_acted_on_may_be_called_noise_later(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        await taught(service, tmp_path, lives=2)
        await service.noise(2, by="bo")

        async def turned() -> bool:
            await service.train()
            return in_store(tmp_path, "SELECT value, reason FROM label WHERE incident = 2") == [
                (0, "called noise")
            ]

        await eventually(turned, what="the label turned")


async def test_training_says_what_it_lacks_and_serves_a_first_model(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path) as service:
        few = await service.train()
        await taught(service, tmp_path, lives=50)
        enough = await service.train()
        await service.ingest(a_body(an_alert("PaymentsFail", severity="warning")))
        score = (await scored(service, 51)).summary.score
    assert (False, 0) == (few.swapped, few.examples)
    assert "too few to learn from" in few.why
    assert (True, 50, 25) == (enough.swapped, enough.examples, enough.actionable)
    assert score is not None
    assert score > 0.8
