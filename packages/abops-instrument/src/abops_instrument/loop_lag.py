"""How late the event loop runs its callbacks.

A blocking call in a coroutine delays every other request and shows in no request's own code.
A timer that should fire every quarter of a second says how late it was; the gauge holds the
worst of the last fifteen seconds, so that a scrape does not miss a short stall.
"""

import asyncio
from collections import deque

from prometheus_client import REGISTRY, CollectorRegistry

from abops_instrument.series import families

EVERY_S = 0.25
WINDOW_S = 15.0


async def watch_loop_lag(registry: CollectorRegistry = REGISTRY) -> None:
    """Measure until cancelled."""
    gauge = (
        families(registry)
        .gauge(
            "event_loop_lag_seconds",
            "Worst delay of a timer in the event loop within the last 15 s.",
            across_processes="max",
        )
        .labels()
    )
    loop = asyncio.get_running_loop()
    recent: deque[float] = deque(maxlen=round(WINDOW_S / EVERY_S))
    while True:
        due = loop.time() + EVERY_S
        await asyncio.sleep(EVERY_S)
        recent.append(max(0.0, loop.time() - due))
        gauge.set(max(recent))
