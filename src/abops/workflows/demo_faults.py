"""The faults of the demonstration: what breaks, which alert says so, who must hear of it."""

import signal

from msgspec import Struct

from abops.clients.fault_panel import FaultPanel
from abops.kernel.errors import UsageError
from abops.stack.control import Request, ask
from abops.stack.layout import Layout

STARTS_WITHIN_S = 180.0
SWITCH_LASTS_S = 120.0
"""Should the demonstration die, the workload mends itself."""


class UnknownFaultError(UsageError):
    """There is no fault of this name."""


class StopPart(Struct, frozen=True, tag=True):
    """A part is stopped, and stays so until it is started again."""

    part: str
    sig: int | None = None


class Switch(Struct, frozen=True, tag=True):
    """A fault switch of the workload is turned on."""

    name: str
    options: dict[str, float | str] = {}


class Fault(Struct, frozen=True):
    """One way to break the platform."""

    name: str
    title: str
    service: str
    alerts: tuple[str, ...]
    """Any of these tells it."""
    action: StopPart | Switch
    channels: tuple[str, ...] = ("pagerduty", "slack")
    """Critical alerts go to both."""


FAULTS = (
    Fault(
        name="api-killed",
        title="the api is killed and stays away",
        service="api",
        alerts=("ProbeFailed", "TargetVanished"),
        action=StopPart("api", signal.SIGKILL),
    ),
    Fault(
        name="api-errors",
        title="the api answers every request with 500",
        service="api",
        alerts=("ApiErrorStorm",),
        action=Switch("errors", {"ratio": 1.0}),
    ),
    Fault(
        name="postgres-stopped",
        title="PostgreSQL is stopped",
        service="postgres",
        alerts=("PostgresDown", "TargetVanished"),
        action=StopPart("postgres"),
    ),
    Fault(
        name="redis-stopped",
        title="Redis is stopped",
        service="redis",
        alerts=("RedisDown", "TargetVanished"),
        action=StopPart("redis"),
    ),
    Fault(
        name="bot-stalled",
        title="the bot's polling stalls, its process lives on",
        service="bot",
        alerts=("ProbeFailed", "BotPollingStalled"),
        action=Switch("poll_stall"),
    ),
)


SHOWN = tuple(sorted({name for fault in FAULTS for name in fault.alerts}))
"""Alerts of the demonstration. All others are silent while it runs: a budget that burns for half
an hour after a fault would keep its incident open, and the next fault would be no news."""
ALWAYS_HEARD = ("AlertServiceDown", "DirectPage", "Watchdog")


def find_fault(name: str) -> Fault:
    """Return the fault of this name."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise UnknownFaultError(
        f"no fault is called {name!r}", hint=f"Try {', '.join(fault.name for fault in FAULTS)}."
    )


class Injector:
    """Breaks the stack on this machine, and mends it."""

    def __init__(self, layout: Layout, panel: FaultPanel) -> None:
        self._layout = layout
        self._panel = panel

    def inject(self, fault: Fault, *, lasting_s: float = SWITCH_LASTS_S) -> None:
        """Break it; a switch ends by itself after `lasting_s` seconds."""
        match fault.action:
            case StopPart(part, sig):
                self._ask(Request("stop", part, sig))
            case Switch(name, options):
                self._panel.turn_on(name, seconds=lasting_s, **options)

    def mend(self, fault: Fault) -> None:
        """Take it back; a part is waited for until it is healthy."""
        match fault.action:
            case StopPart(part):
                self._ask(Request("start", part))
            case Switch(name):
                self._panel.turn_off(name)

    def _ask(self, request: Request) -> None:
        ask(self._layout.control_socket, request, timeout_s=STARTS_WITHIN_S)
