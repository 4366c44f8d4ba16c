"""Channel servers for a simulation: on free ports, with secrets of their own, gone afterwards."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from abops.alerts.model import Endpoints
from abops.clients.loopback import Loopback, LoopbackError
from abops.kernel.errors import OpsError
from abops.stack.channels.config import HOST, ChannelConfig
from abops.stack.credentials import make_credentials

START_WITHIN_S: Final = 30.0
_END_WITHIN_S: Final = 10.0
_PARTS: Final = ("slack", "pagerduty", "telegram", "smtp", "inbox")


class ChannelsLateError(OpsError):
    """The channel servers of the simulation did not start."""

    hint = "Start `python -m abops.stack.channels` by hand: its output says why."


class Rehearsal(Struct, frozen=True):
    """Channel servers that run."""

    endpoints: Endpoints
    urls: dict[str, str]
    """By part: slack, pagerduty, telegram, inbox."""


@contextmanager
def channel_servers(folder: Path) -> Iterator[Rehearsal]:
    """Run the channel servers with their data in `folder`; raises ChannelsLateError."""
    ports = _free_ports(len(_PARTS))
    by_part = dict(zip(_PARTS, ports, strict=True))
    urls = {part: f"http://{HOST}:{port}" for part, port in by_part.items()}
    secrets = folder / "secrets"
    make_credentials(secrets, slack_url=urls["slack"])
    config = ChannelConfig(
        slack_port=by_part["slack"],
        pagerduty_port=by_part["pagerduty"],
        telegram_port=by_part["telegram"],
        smtp_port=by_part["smtp"],
        inbox_port=by_part["inbox"],
        data_dir=str(folder / "channels"),
        secrets_dir=str(secrets),
    )
    path = folder / "channels.json"
    path.write_bytes(msgspec.json.encode(config))
    argv = [sys.executable, "-m", "abops.stack.channels", "--config", str(path)]
    with (folder / "channels.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)  # noqa: S603 - our own module
    try:
        _wait(process, urls["inbox"])
        yield Rehearsal(_endpoints(by_part, urls, secrets), urls)
    finally:
        process.terminate()
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _endpoints(ports: dict[str, int], urls: dict[str, str], secrets: Path) -> Endpoints:
    return Endpoints(
        slack_api_url=f"{urls['slack']}/api/",
        pagerduty_url=f"{urls['pagerduty']}/v2/enqueue",
        telegram_url=urls["telegram"],
        smtp_host=HOST,
        smtp_port=ports["smtp"],
        secrets_dir=str(secrets),
    )


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    server = Loopback(url)
    deadline = time.monotonic() + START_WITHIN_S
    try:
        while not _answers(server):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ChannelsLateError
            time.sleep(0.05)
    finally:
        server.close()


def _answers(server: Loopback) -> bool:
    try:
        server.get("/_received")
    except LoopbackError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on: held together, so that they differ."""
    held = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()
