"""What goes wrong beside the alerts' way is logged and counted, and ends nothing for good."""

from pathlib import Path
from typing import Any

import pytest

from abops.alerts.rootcause.likely import likely_causes
from abops.alerts.score.scorer import Scorer
from abops.alerts.service import AlertService
from abops.alerts.service import causes as causes_module
from abops.alerts.store import learned
from support.alerts import a_body, a_service, an_alert, eventually, over, told
from support.channels import Channels
from support.keep import unrelated


async def counted(service: AlertService, task: str) -> float:
    """Return how often the work of a task has failed."""
    name = f'abops_background_failures_total{{task="{task}"}} '
    for line in (await service.metrics()).decode().splitlines():
        if line.startswith(name):
            return float(line.removeprefix(name))
    return -1.0


async def test_one_incident_whose_cause_cannot_be_found_keeps_no_other_from_its_own(
    channels: Channels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = unrelated(1)
    name = poisoned["labels"]["service"]

    def planted(evidence: Any) -> Any:  # noqa: ANN401 - passes through
        if any(name in str(alert) for alert in evidence.alerts):
            raise ZeroDivisionError("planted")
        return likely_causes(evidence)

    monkeypatch.setattr(causes_module, "likely_causes", planted)
    async with a_service(channels, tmp_path) as service:
        assert 0 == await counted(service, "causes")
        await service.ingest(a_body(poisoned))

        async def failed() -> bool:
            return await counted(service, "causes") >= 1

        await eventually(failed, what="a failure counted")
        await service.ingest(a_body(unrelated(2)))
        await told(service, 2, ("pd", "open"))

        async def suspected() -> bool:
            return any((await service.incident(2)).causes)

        await eventually(suspected, what="the other incident's cause")
        assert () == (await service.incident(1)).causes


async def test_one_incident_that_cannot_be_judged_keeps_no_other_from_its_score(
    channels: Channels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = unrelated(1)
    whole = Scorer.score

    def planted(self: Scorer, kind: str, *rest: Any) -> Any:  # noqa: ANN401 - passes through
        if kind.startswith(poisoned["labels"]["alertname"]):
            raise ZeroDivisionError("planted")
        return whole(self, kind, *rest)

    monkeypatch.setattr(Scorer, "score", planted)
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(poisoned, unrelated(2)))
        await told(service, 2, ("pd", "open"))

        async def judged() -> bool:
            numbers = await service._vault.read(  # noqa: SLF001 - what is kept is shown nowhere
                lambda c: [n for n in (1, 2) if learned.recall(c, f"score/{n}") is not None]
            )
            return [2] == numbers

        await eventually(judged, what="the other incident judged")
        assert await counted(service, "scoring") >= 1


async def test_what_was_merged_away_is_no_incident_of_the_past(
    channels: Channels, tmp_path: Path
) -> None:
    one, other = unrelated(1), unrelated(2)
    async with a_service(channels, tmp_path) as service:
        await service.ingest(a_body(one))
        await told(service, 1, ("pd", "open"))
        await service.ingest(a_body(other))
        await told(service, 2, ("pd", "open"))
        await service.merge(2, 1, by="ana")
        await told(service, 2, ("pd", "resolve"))
        await service.ingest(a_body(over(one), over(other)))

        async def history() -> dict[str, Any]:
            found = await service._vault.read(  # noqa: SLF001 - what is kept is shown nowhere
                lambda c: learned.recall(c, "history")
            )
            return dict(found or {"seen": [], "incidents": 0})

        async def remembered() -> bool:
            return bool((await history())["seen"])

        await eventually(remembered, what="the incident counted")
        assert 1 == (await history())["incidents"]


async def test_the_letter_of_the_week_fails_and_the_rest_goes_on(
    channels: Channels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def planted(_self: object) -> tuple[str, ...]:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("abops.alerts.service.letters.Letters.look", planted)
    async with a_service(channels, tmp_path) as service:

        async def again() -> bool:
            return await counted(service, "letters") >= 2

        await eventually(again, what="the letter tried again")
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("pd", "open"))
