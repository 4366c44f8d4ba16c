"""Faults of a whole process: it ends at once, or it grows. For any service.

Used only with WORKLOAD_FAULTS=1.
"""

import logging
import os
import threading
import time

from apps import clock
from apps.faults import switches

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.5
EXIT_CODE = 70


class ProcessFaults:
    """Faults of a whole process: crash and memory_leak."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._started = clock.epoch_s()
        self._looked = time.monotonic()
        self._leaked: list[bytes] = []

    def act(self) -> None:
        """Do what the switches say now."""
        moment = time.monotonic()
        passed, self._looked = moment - self._looked, moment
        crash = switches().active("crash", service=self._service)
        # Older than this process: it has done its work, the restarted process must live.
        if crash is not None and crash.since >= self._started:
            log.critical("crash on purpose")
            os._exit(EXIT_CODE)
        leak = switches().active("memory_leak", service=self._service)
        if leak is None:
            self._leaked.clear()
        elif sum(map(len, self._leaked)) < leak.number("max_mb", 256) * 2**20:
            self._leaked.append(os.urandom(int(leak.number("mb_per_s", 5) * passed * 2**20)))


def follow_in_thread(service: str) -> None:
    """Let a process without an event loop of its own follow these switches."""

    def follow() -> None:
        process = ProcessFaults(service)
        while True:
            process.act()
            time.sleep(LOOK_EVERY_S)

    threading.Thread(target=follow, name="faults", daemon=True).start()
