"""The demonstration on a stand-in platform, whose every answer the test decides."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from abops.clients.alerts_api import AlertsApi
from abops.clients.inbox import Inbox, Received
from abops.clients.prometheus import FiringAlert, Prometheus
from abops.workflows import demo
from abops.workflows.demo import Demonstration, NotQuietError, Observers, Result
from abops.workflows.demo_faults import (
    FAULTS,
    Fault,
    Injector,
    StopPart,
    UnknownFaultError,
    find_fault,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FAULT = Fault("api-killed", "the api is killed", "api", ("ProbeFailed",), StopPart("api"))


class Platform:
    """A clock that a wait moves on, and what is true at which second after the break."""

    def __init__(self, *, pages: tuple[str, ...] = ("pagerduty", "slack")) -> None:
        self.passed_s = 0.0
        self.broken_at: float | None = None
        self.mended_at: float | None = None
        self.pages = pages
        self.mended = 0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    def pass_time(self, seconds: float) -> None:
        self.passed_s += seconds

    def reached(self, start: float | None, after_s: float) -> bool:
        return start is not None and self.passed_s >= start + after_s

    @property
    def epoch(self) -> float:
        return NOON.timestamp()


class StandInPrometheus(Prometheus):
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def firing(self) -> tuple[FiringAlert, ...]:
        on = self._platform.reached(self._platform.broken_at, 10)
        off = self._platform.reached(self._platform.mended_at, 8)
        return (FiringAlert("ProbeFailed", "api", {}),) if on and not off else ()


class StandInIncidents(AlertsApi):
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def incidents(
        self, *, state: str | None = None, limit: int = 100, since: int = 0
    ) -> list[dict[str, Any]]:
        del state, limit, since
        p = self._platform
        if p.broken_at is None or not p.reached(p.broken_at, 11):
            return []
        opened = NOON + timedelta(seconds=p.broken_at + 11)
        over = p.reached(p.mended_at, 20)
        resolved = NOON + timedelta(seconds=(p.mended_at or 0) + 20)
        return [
            {
                "number": 7,
                "service": "api",
                "state": "resolved" if over else "open",
                "opened_at": opened.isoformat(),
                "resolved_at": resolved.isoformat() if over else None,
            }
        ]

    def incident(self, number: int) -> dict[str, Any]:
        assert 7 == number
        return {"summary": self.incidents()[0]}


class StandInInbox(Inbox):
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def received(self) -> tuple[Received, ...]:
        p = self._platform
        found = []
        if p.broken_at is not None and p.reached(p.broken_at, 12):
            at = p.epoch + p.broken_at + 12
            found += [
                Received(n, channel, "trigger", "abops-1-INC-7", "api is down (INC-7)", at)
                for n, channel in enumerate(p.pages)
            ]
        if p.mended_at is not None and p.reached(p.mended_at, 21):
            at = p.epoch + p.mended_at + 21
            found.append(Received(9, "pagerduty", "resolve", "abops-1-INC-7", "", at))
        return tuple(found)


class StandInInjector(Injector):
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def inject(self, fault: Fault) -> None:
        del fault
        self._platform.broken_at = self._platform.passed_s

    def mend(self, fault: Fault) -> None:
        del fault
        self._platform.mended_at = self._platform.passed_s
        self._platform.mended += 1


def observers_of(platform: Platform) -> Observers:
    return Observers(
        StandInPrometheus(platform), StandInIncidents(platform), StandInInbox(platform)
    )


def run(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setattr(demo, "sleep", platform.pass_time)
    demonstration = Demonstration(
        observers_of(platform), StandInInjector(platform), platform, tell=lambda *_: None
    )
    return demonstration.run(FAULT)


def test_every_step_is_timed_from_the_fault_and_every_end_from_the_mending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = run(Platform(), monkeypatch)

    assert ("ProbeFailed", 7) == (result.alert, result.incident)
    assert [10, 11, 12, 12] == [
        round(at or 0) for at in (result.alert_s, result.incident_s, *result.channels_s.values())
    ]
    assert [8, 20, 21] == [
        round(at or 0)
        for at in (result.alert_resolved_s, result.incident_resolved_s, result.page_resolved_s)
    ]
    assert result.complete


def test_a_page_that_never_arrives_makes_the_result_incomplete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Platform(pages=("pagerduty",))
    result = run(platform, monkeypatch)

    assert {"slack": None} == {c: at for c, at in result.channels_s.items() if at is None}
    assert not result.complete
    assert result.slowest_page_s is None


def test_an_interrupted_demonstration_takes_its_fault_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Platform()

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "sleep", interrupt)
    demonstration = Demonstration(
        observers_of(platform), StandInInjector(platform), platform, tell=lambda *_: None
    )
    with pytest.raises(KeyboardInterrupt):
        demonstration.run(FAULT)

    assert 1 == platform.mended


def test_nothing_is_broken_while_something_else_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()
    platform.broken_at = -10.0  # somebody else's fault, never mended
    with pytest.raises(NotQuietError, match=r"ProbeFailed \(api\)"):
        run(platform, monkeypatch)

    assert 0 == platform.mended


@pytest.mark.parametrize(
    ("destination", "summary", "expected"),
    [
        ("abops-1-INC-7", "api is down", True),
        ("abops-1-INC-17", "api is down", False),
        ("C0OPS", "[CRITICAL] api is down (INC-7)", True),
        ("C0OPS", "[CRITICAL] api is down (INC-70)", False),
    ],
)
def test_a_message_is_about_the_incident_that_it_names(
    destination: str, summary: str, *, expected: bool
) -> None:
    message = Received(1, "slack", "post", destination, summary, 0.0)

    assert expected == message.is_about(7)


def test_an_unknown_fault_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownFaultError, match="api-kiled") as refused:
        find_fault("api-kiled")

    assert all(fault.name in refused.value.hint for fault in FAULTS)
