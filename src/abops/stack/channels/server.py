"""Five servers in one process and one event loop: four channels and the inbox.

All ports are bound before anything is served, so that a port that is taken is one clear error and
never half a set of servers. Signals are handled once, here. On the way down whatever hangs on
purpose is let go first, so that the process is gone within two seconds.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from abops.kernel.clock import SystemClock
from abops.kernel.errors import OpsError
from abops.stack.channels import pagerduty, slack, smtp, telegram
from abops.stack.channels.config import HOST, ChannelConfig, Secrets
from abops.stack.channels.control import (
    TRANSPORT,
    Asgi,
    FaultAnswer,
    FaultGate,
    Faults,
    add_control_routes,
)
from abops.stack.channels.desk import Desk
from abops.stack.channels.inbox import inbox_app
from abops.stack.channels.inbox_buttons import add_pressing
from abops.stack.channels.press import add_pagerduty_press, add_slack_press, add_telegram_press
from abops.stack.channels.recorder import Recorder

_GRACE_S: Final = 1  # for requests that are under way when the servers stop


class PortTakenError(OpsError):
    """A port of the channel servers is in use."""

    hint = "Stop what listens there, or name another port in the configuration."


class _Connection(HttpToolsProtocol):
    """Puts the connection into the scope, for a fault may have to cut it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[typeddict-unknown-key]


class _Server(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ChannelServers:
    """The four channels and the inbox, from bound ports to a clean end."""

    def __init__(self, config: ChannelConfig) -> None:
        self._config = config
        folder = Path(config.data_dir)
        folder.mkdir(parents=True, exist_ok=True)
        clock = SystemClock()
        secrets = Secrets(Path(config.secrets_dir))
        self._desk = Desk(config, secrets, Recorder(folder, clock), clock)
        self._stopping = asyncio.Event()
        self._faults = {
            name: Faults()
            for name in (slack.CHANNEL, pagerduty.CHANNEL, telegram.CHANNEL, smtp.CHANNEL)
        }
        self._bot = telegram.Bot(self._desk)

    def stop(self) -> None:
        """Ask the servers to end; safe to call again."""
        self._stopping.set()
        for faults in self._faults.values():
            faults.close()
        self._bot.wake()

    async def run(self) -> None:
        """Serve until `stop` is called or the process is told to end."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.stop)
        config = self._config
        with contextlib.ExitStack() as ports:
            mail = ports.enter_context(_bound(config.smtp_port))
            servers = [
                (_server(app), ports.enter_context(_bound(port))) for port, app in self._apps()
            ]
            mail_server = await smtp.start_smtp(self._desk, self._faults[smtp.CHANNEL], mail)
            tasks = [
                asyncio.create_task(server.serve(sockets=[connection]))
                for server, connection in servers
            ]
            _log_start(config)
            await self._stopping.wait()
            for server, _ in servers:
                server.should_exit = True
            mail_server.close()
            await asyncio.gather(*tasks)

    def _apps(self) -> Iterator[tuple[int, Asgi]]:
        desk = self._desk
        workspace = slack.Workspace(desk)
        app = slack.slack_app(desk, workspace)
        pressers = {}
        pressers[slack.CHANNEL] = add_slack_press(app, desk, workspace)
        yield (
            self._config.slack_port,
            self._gated(app, slack.CHANNEL, slack.overloaded, slack.BROKEN),
        )

        service = pagerduty.PagerDutyService(desk)
        app = pagerduty.pagerduty_app(service)
        pressers[pagerduty.CHANNEL] = add_pagerduty_press(app, desk, service)
        yield (
            self._config.pagerduty_port,
            self._gated(app, pagerduty.CHANNEL, pagerduty.overloaded, pagerduty.BROKEN),
        )

        app = telegram.telegram_app(desk, self._bot)
        pressers[telegram.CHANNEL] = add_telegram_press(app, self._bot)
        yield (
            self._config.telegram_port,
            self._gated(app, telegram.CHANNEL, telegram.overloaded, telegram.BROKEN),
        )

        inbox = inbox_app(desk, self._faults, self._stopping)
        add_pressing(inbox, desk, pressers)
        yield self._config.inbox_port, inbox

    def _gated(
        self,
        app: FastAPI,
        channel: str,
        overloaded: Callable[[int], FaultAnswer],
        broken: FaultAnswer,
    ) -> FaultGate:
        faults = self._faults[channel]
        add_control_routes(app, channel, self._desk.recorder, faults)
        return FaultGate(app, faults=faults, overloaded=overloaded, broken=broken)


def _server(app: Asgi) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            http=_Connection,
            ws="none",
            lifespan="off",
            access_log=False,  # Telegram's token is in the path
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


@contextlib.contextmanager
def _bound(port: int) -> Iterator[socket.socket]:
    # asyncio turns Nagle's algorithm off only where the protocol is named: 40 ms an answer.
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            connection.bind((HOST, port))
        except OSError as error:
            raise PortTakenError(f"{HOST}:{port} cannot be used: {error.strerror}") from error
        yield connection
    finally:
        connection.close()


def _log_start(config: ChannelConfig) -> None:
    structlog.get_logger().info(
        "channel servers are up",
        slack=config.slack_port,
        pagerduty=config.pagerduty_port,
        telegram=config.telegram_port,
        smtp=config.smtp_port,
        inbox=f"http://{HOST}:{config.inbox_port}/",
    )
