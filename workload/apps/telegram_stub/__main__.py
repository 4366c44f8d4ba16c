"""A Telegram Bot API on loopback: `python -m apps.telegram_stub`, port 8081.

Users write to the bot at up to STUB_UPDATES_PEAK updates a second (2), following the same day
as the traffic on the api.
"""

import asyncio
import os
import random
import signal
import sys

from aiohttp import web

from abops_instrument import setup
from apps import VERSION, clock
from apps.seed import FIRST_USER
from apps.settings import Settings, SettingsError, settings
from apps.telegram_stub.server import make_app
from apps.telegram_stub.state import StubState, draw_update
from apps.traffic.shape import Shape

DEFAULT_PORT = 8081
USERS = range(FIRST_USER, FIRST_USER + 500)


async def generate(state: StubState, shape: Shape) -> None:
    """Let updates arrive at random moments until cancelled."""
    die = random.Random()  # noqa: S311 - a die, no secret
    while True:
        pause = die.expovariate(max(shape.rate(clock.epoch_s()), 0.01))
        await asyncio.sleep(min(pause, 5.0))
        if pause <= 5.0:  # noqa: PLR2004 - else the rate is looked at again
            state.add_update(draw_update(die, USERS))


async def serve(config: Settings, port: int, shape: Shape | None) -> None:
    """Serve until a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    state = StubState()
    # A poller that went away must stop waiting, or it would throw out the one that came back.
    runner = web.AppRunner(
        make_app(config.bot_token, state, config.mtproto_sessions),
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=1,
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    updates = asyncio.create_task(generate(state, shape)) if shape else None
    await stop.wait()
    if updates is not None:
        updates.cancel()
    await runner.cleanup()


def main() -> int:
    """Read STUB_PORT, STUB_UPDATES_PEAK and TRAFFIC_DAY_S, and start."""
    try:
        config = settings()
        port = int(os.environ.get("STUB_PORT", "") or DEFAULT_PORT)
        peak = float(os.environ.get("STUB_UPDATES_PEAK", "") or 2.0)
        day_s = float(os.environ.get("TRAFFIC_DAY_S", "") or 86_400.0)
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    setup("telegram-stub", version=VERSION, environment=config.environment)
    shape = Shape(peak_per_s=peak, day_s=day_s) if peak > 0 else None
    try:
        asyncio.run(serve(config, port, shape))
    except OSError as error:
        sys.stderr.write(f"error: port {port}: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
