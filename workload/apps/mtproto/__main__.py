"""The accounts that read channels: `python -m apps.mtproto`, only with MTPROTO_ENABLED=1.

Optional, and off by default. It waits for the gateway and the database when they are away, at
its start too; /metrics and /health are on METRICS_PORT (9543).
"""

import asyncio
import signal
import sys

from aiohttp import ClientSession, ClientTimeout

from abops_instrument import setup, start_metrics_server
from abops_instrument.http_client import aiohttp_trace
from abops_instrument.stores import instrument_engine
from apps import VERSION
from apps.mtproto.collect import Collector
from apps.mtproto.gateway import Session
from apps.settings import Settings, SettingsError, settings
from apps.storage.engines import async_engine

DEFAULT_METRICS_PORT = 9543
TIMEOUT_S = 10


async def run(config: Settings) -> int:
    """Collect until a signal comes; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = async_engine(config)
    instrument_engine(engine)
    async with ClientSession(
        timeout=ClientTimeout(total=TIMEOUT_S), trace_configs=[aiohttp_trace()]
    ) as http:
        sessions = [
            Session(http, config.mtproto_gateway_url, key) for key in config.mtproto_sessions
        ]
        collector = Collector(engine, sessions)
        port = config.metrics_port or DEFAULT_METRICS_PORT
        try:
            server = start_metrics_server(
                port, host=config.metrics_host, health=collector.is_healthy
            )
        except OSError as error:
            sys.stderr.write(f"error: METRICS_PORT {port}: {error.strerror}\n")
            return 1
        try:
            await collector.run(config.mtproto_interval_s, stop)
        finally:
            server.stop()
            await engine.dispose()
    return 0


def main() -> int:
    """Start, unless it is off."""
    try:
        config = settings()
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if not config.mtproto_enabled:
        sys.stdout.write("mtproto: off; MTPROTO_ENABLED=1 turns it on\n")
        return 0
    setup(
        "analyticbot-mtproto",
        version=VERSION,
        environment=config.environment,
        dataset="mtproto.app",
    )
    if config.faults_enabled:
        from apps.fault_process import follow_in_thread  # noqa: PLC0415 - never in production

        follow_in_thread("mtproto")
    return asyncio.run(run(config))


if __name__ == "__main__":
    sys.exit(main())
