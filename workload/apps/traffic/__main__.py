"""Customers, simulated: `python -m apps.traffic`.

Requests leave at random moments, as independent people send them (a Poisson process whose rate
follows the day), and never wait for the answers of earlier ones: a slow api gets no less
traffic. There is a limit to that: with 50 requests open further ones are skipped and counted,
as this is not a load test.
"""

import asyncio
import logging
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from abops_instrument import setup
from apps import VERSION, clock
from apps.seed import DEMO_PASSWORD, FIRST_CHANNEL, FIRST_USER, USERS_WITH_LOGIN
from apps.settings import SettingsError, settings
from apps.traffic.shape import Shape

log = logging.getLogger("traffic")
OPEN_AT_MOST = 50
TIMEOUT_S = 10
REPORT_EVERY_S = 60
CHANNELS = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a customer."""

    method: str
    path: str
    body: Mapping[str, object] | None = None


def draw_call(die: random.Random) -> Call:
    """Return what the next customer wants."""
    channel = FIRST_CHANNEL + die.randrange(CHANNELS)
    user = f"user{FIRST_USER + die.randrange(USERS_WITH_LOGIN)}"
    text = f"News at {clock.now():%H:%M:%S}"
    weighted = (
        (45, Call("GET", f"/api/v1/channels/{channel}")),
        (12, Call("GET", "/api/v1/channels?limit=20")),
        (11, Call("GET", f"/api/v1/analytics/channels/{channel}/daily")),
        (10, Call("POST", "/api/v1/posts", {"channel_id": channel, "text": text})),
        (8, Call("GET", "/api/v1/analytics/summary")),
        (5, Call("POST", f"/api/v1/analytics/channels/{channel}/reports")),
        (4, Call("POST", "/api/v1/auth/login", {"login": user, "password": DEMO_PASSWORD})),
        (2, Call("POST", "/api/v1/auth/login", {"login": user, "password": "mistyped"})),
        (3, Call("GET", "/api/v1/channels/7")),  # nobody's
    )
    calls, weights = [call for _, call in weighted], [weight for weight, _ in weighted]
    return die.choices(calls, weights)[0]


class Traffic:
    """The customers of one api."""

    def __init__(self, base_url: str, shape: Shape, session: aiohttp.ClientSession) -> None:
        self._base_url = base_url
        self._shape = shape
        self._session = session
        self._die = random.Random()  # noqa: S311 - a die, no secret
        self._open: set[asyncio.Task[None]] = set()
        self.results: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`."""
        report_at = clock.epoch_s() + REPORT_EVERY_S
        while not stop.is_set():
            now = clock.epoch_s()
            if now >= report_at:
                log.info("answers of the last minute", extra={"answers": dict(self.results)})
                self.results.clear()
                report_at = now + REPORT_EVERY_S
            pause = self._die.expovariate(max(self._shape.rate(now), 0.01))
            await _sleep(min(pause, 5.0), stop)
            if pause <= 5.0:  # noqa: PLR2004 - else the rate is looked at again
                self._send()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _send(self) -> None:
        if len(self._open) >= OPEN_AT_MOST:
            self.results["skipped"] += 1
            return
        task = asyncio.create_task(self._call(draw_call(self._die)))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _call(self, call: Call) -> None:
        try:
            async with self._session.request(
                call.method, self._base_url + call.path, json=call.body
            ) as answer:
                await answer.read()
                self.results[str(answer.status)] += 1
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.results["unreachable"] += 1


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def serve(base_url: str, shape: Shape) -> None:
    """Be the customers until a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        log.info("traffic to %s", base_url)
        await Traffic(base_url, shape, session).run(stop)


def main() -> int:
    """Read API_URL, TRAFFIC_PEAK and TRAFFIC_DAY_S, and start."""
    try:
        environment = settings().environment
        shape = Shape(
            peak_per_s=_positive("TRAFFIC_PEAK", 15.0),
            day_s=_positive("TRAFFIC_DAY_S", 86_400.0),
        )
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    setup("analyticbot-traffic", version=VERSION, environment=environment)
    asyncio.run(serve(os.environ.get("API_URL", "http://127.0.0.1:8000").rstrip("/"), shape))
    return 0


def _positive(name: str, default: float) -> float:
    value = float(os.environ.get(name, "") or default)
    if not value > 0:
        raise ValueError(f"{name} must be above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
