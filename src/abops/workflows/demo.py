"""The demonstration: something breaks, an alert fires, people are told, it is over.

Everything is seen from outside, as a person would: Prometheus' alerts, the alert service's
incidents, what the channels received. A fault is always taken back, also when the
demonstration is interrupted.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from time import sleep
from typing import Any

from msgspec import Struct

from abops.clients.alerts_api import AlertsApi
from abops.clients.inbox import Inbox
from abops.clients.prometheus import Prometheus
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.workflows.demo_faults import SHOWN, Fault, Injector

LOOK_EVERY_S = 0.2
PAGE_WITHIN_S = 60.0
OVER_WITHIN_S = 120.0
QUIET_WITHIN_S = 180.0


class NotQuietError(OpsError):
    """Something else is broken: the demonstration could not tell its own fault from it."""

    hint = "See `abops stack status` and the console; then run it again."


class Result(Struct, frozen=True):
    """What followed one fault; seconds since it was injected, None for what did not come."""

    fault: str
    round: int
    alert: str = ""
    incident: int | None = None
    alert_s: float | None = None
    incident_s: float | None = None
    channels_s: dict[str, float | None] = {}
    alert_resolved_s: float | None = None
    incident_resolved_s: float | None = None
    page_resolved_s: float | None = None
    """These three: seconds since the fault was taken back."""

    @property
    def complete(self) -> bool:
        """Whether every page arrived, and every end was told."""
        return None not in (
            *self.channels_s.values(),
            self.alert_s,
            self.incident_s,
            self.alert_resolved_s,
            self.incident_resolved_s,
            self.page_resolved_s,
        )

    @property
    def slowest_page_s(self) -> float | None:
        """Return when the last channel had it; None when one never had."""
        times = list(self.channels_s.values())
        return max((t for t in times if t is not None), default=None) if None not in times else None


Tell = Callable[[str, float | None], None]
"""Told each step and its seconds, as it happens."""


class Observers(Struct, frozen=True):
    """Where the demonstration looks."""

    prometheus: Prometheus
    incidents: AlertsApi
    inbox: Inbox


class Demonstration:
    """Breaks one thing after the other and tells what follows."""

    def __init__(
        self, observers: Observers, injector: Injector, clock: Clock, *, tell: Tell
    ) -> None:
        self._observers = observers
        self._injector = injector
        self._clock = clock
        self._tell = tell

    def run(self, fault: Fault, *, round_: int = 1) -> Result:
        """Break, watch until people are told, mend, watch until they are told that it is over."""
        await_quiet(self._observers, self._clock)
        seen = _Page(fault, self._now())
        with self._broken(fault):
            self._tell(f"fault: {fault.title}", 0.0)
            self._watch_page(seen)
        mended = self._now()
        self._tell("mended", mended - seen.begun)
        ends = self._watch_end(fault, seen.incident, mended)
        return Result(
            fault=fault.name,
            round=round_,
            alert=seen.alert,
            incident=seen.incident,
            alert_s=seen.alert_s,
            incident_s=seen.incident_s,
            channels_s=seen.channels_s,
            alert_resolved_s=ends.get("alert"),
            incident_resolved_s=ends.get("incident"),
            page_resolved_s=ends.get("page"),
        )

    def _now(self) -> float:
        return self._clock.now().timestamp()

    @contextmanager
    def _broken(self, fault: Fault) -> Iterator[None]:
        try:
            self._injector.inject(fault)
            yield
        finally:
            self._injector.mend(fault)

    def _watch_page(self, seen: "_Page") -> None:
        while not seen.complete and self._now() - seen.begun < PAGE_WITHIN_S:
            if seen.alert_s is None:
                self._look_for_alert(seen)
            if seen.incident is None:
                self._look_for_incident(seen)
            if seen.incident is not None:
                self._look_for_pages(seen, seen.incident)
            sleep(LOOK_EVERY_S)
        for channel, at in seen.channels_s.items():
            if at is None:
                self._tell(f"{channel}: nothing arrived", None)

    def _look_for_alert(self, seen: "_Page") -> None:
        expected = self._firing(seen.fault)
        if expected:
            seen.alert = expected[0]
            seen.alert_s = self._now() - seen.begun
            self._tell(f"alert {seen.alert} fires", seen.alert_s)

    def _firing(self, fault: Fault) -> list[str]:
        firing = self._observers.prometheus.firing()
        return [a.name for a in firing if a.service == fault.service and a.name in fault.alerts]

    def _look_for_incident(self, seen: "_Page") -> None:
        for incident in self._observers.incidents.incidents(state="open", since=int(seen.begun)):
            opened = _epoch(incident["opened_at"])
            if opened >= seen.begun and self._tells_of(incident, seen.fault.service):
                seen.incident = int(incident["number"])
                seen.incident_s = opened - seen.begun
                self._tell(f"incident INC-{seen.incident} opens", seen.incident_s)
                return

    def _tells_of(self, incident: Mapping[str, Any], service: str) -> bool:
        """Say whether an alert of this service is in it: the first may be of one that calls it."""
        if incident["service"] == service:
            return True
        members = self._observers.incidents.incident(int(incident["number"]))["members"]
        return any(member["alert"]["service"] == service for member in members)

    def _look_for_pages(self, seen: "_Page", incident: int) -> None:
        for message in self._observers.inbox.received():
            waited_for = seen.channels_s.get(message.channel, 0.0) is None
            if waited_for and message.is_about(incident):
                seen.channels_s[message.channel] = message.at_s - seen.begun
                self._tell(f"{message.channel} has it", message.at_s - seen.begun)

    def _watch_end(self, fault: Fault, incident: int | None, mended: float) -> dict[str, float]:
        ends: dict[str, float] = {}

        def note(what: str, words: str, at: float) -> None:
            if what not in ends:
                ends[what] = at - mended
                self._tell(words, at - mended)

        while len(ends) < len(("alert", "incident", "page")):
            now = self._now()
            if now - mended > OVER_WITHIN_S:
                break
            if not self._firing(fault):
                note("alert", "alert resolved", now)
            if incident is not None:
                summary = self._observers.incidents.incident(incident)["summary"]
                if summary["state"] == "resolved":
                    note("incident", f"INC-{incident} resolved", _epoch(summary["resolved_at"]))
                for message in self._observers.inbox.received():
                    if message.action == "resolve" and message.is_about(incident):
                        note("page", "PagerDuty is told that it is over", message.at_s)
            sleep(LOOK_EVERY_S)
        return ends


class _Page:
    """What was seen so far of a fault's way to people."""

    def __init__(self, fault: Fault, begun: float) -> None:
        self.fault = fault
        self.begun = begun
        self.alert = ""
        self.alert_s: float | None = None
        self.incident: int | None = None
        self.incident_s: float | None = None
        self.channels_s: dict[str, float | None] = dict.fromkeys(fault.channels)

    @property
    def complete(self) -> bool:
        return self.alert_s is not None and None not in self.channels_s.values()


def await_quiet(observers: Observers, clock: Clock) -> None:
    """Wait until none of the alerts that are shown fires, and no incident is open."""
    begun = clock.monotonic()
    while True:
        firing = {
            f"{a.name} ({a.service})" for a in observers.prometheus.firing() if a.name in SHOWN
        }
        unresolved = [i for i in observers.incidents.incidents() if i["state"] != "resolved"]
        if not firing and not unresolved:
            return
        if clock.monotonic() - begun > QUIET_WITHIN_S:
            names = sorted(firing) + [f"INC-{i['number']}" for i in unresolved]
            raise NotQuietError(f"not quiet for {QUIET_WITHIN_S:g} s: {', '.join(names)}")
        sleep(LOOK_EVERY_S * 5)


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
