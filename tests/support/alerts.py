"""The alert service as tests run it: in this process or in its own, told to the channel servers."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from abops.alerts.model import (
    Channel,
    Endpoints,
    IncidentDetail,
    Route,
    Routing,
    ServiceConfig,
    ServiceSettings,
    Team,
)
from abops.alerts.route.matcher import parse_matchers
from abops.alerts.service import AlertService
from abops.alerts.service.memory import IncidentUnknownError
from abops.kernel.clock import Clock, SystemClock
from support.channels import Channels
from support.servers import Server, answers, free_port, running

ROOT = Path(__file__).parents[2]
TOKEN = "ingest-token-of-the-tests"  # noqa: S105 - guards a test's own server
RESPOND = "respond-token-of-the-tests"  # the same
PROMPT = ServiceSettings(resolve_after_s=0.2, update_every_s=0.1)
ROUTES = (
    ('severity="critical", category="security"', ("page", "chat", "tg")),
    ('severity="critical"', ("page", "chat")),
    ('category="security"', ("tg",)),
    ('category="mail"', ("mail",)),
    ('severity=~"warning|info"', ("chat",)),
)
_names = iter(range(10_000))


def endpoints_of(channels: Channels) -> Endpoints:
    return Endpoints(
        slack_api_url=f"{channels.url('slack')}/api/",
        pagerduty_url=f"{channels.url('pagerduty')}/v2/enqueue",
        telegram_url=channels.url("telegram"),
        smtp_host="127.0.0.1",
        smtp_port=channels.ports["smtp"],
        secrets_dir=str(channels.folder / "secrets"),
    )


def a_routing() -> Routing:
    """Return routes with a Slack channel and a chat of their own: allowances outlive a test."""
    number = next(_names)
    return Routing(
        public_url="http://127.0.0.1:9600",
        channels={
            "pd": Channel("pd", "pagerduty", "pd-dev"),
            "chat": Channel("chat", "slack", "slack", address=f"C{number:08d}"),
            "tg": Channel("tg", "telegram", "telegram", address=f"-{100_000 + number}"),
            "mail": Channel(
                "mail", "email", "smtp", to=("ops@example.org",), sender="abops@example.org"
            ),
        },
        teams={"dev": Team("dev", page="pd", chat="chat", fallback=("tg",))},
        routes=tuple(Route(match, parse_matchers(match), send) for match, send in ROUTES),
    )


@asynccontextmanager
async def a_service(
    channels: Channels,
    folder: Path,
    *,
    settings: ServiceSettings = PROMPT,
    alertmanager_url: str | None = None,
    endpoints: Endpoints | None = None,
    routing: Routing | None = None,
    clock: Clock | None = None,
    **more: Any,  # noqa: ANN401 - fields of ServiceConfig
) -> AsyncIterator[AlertService]:
    service = AlertService(
        ServiceConfig(
            env="local",
            routing=routing or a_routing(),
            data_dir=folder,
            endpoints=endpoints or endpoints_of(channels),
            settings=settings,
            alertmanager_url=alertmanager_url,
            **more,
        ),
        clock,
    )
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def an_alert(name: str = "ProbeFailed", **labels: str) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": name, "severity": "critical", "service": "api", "env": "local"}
        | labels,
        "annotations": {"summary": f"{name} <of> & by the tests"},
        "startsAt": SystemClock().now().isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
    }


def over(alert: dict[str, Any]) -> dict[str, Any]:
    return {**alert, "status": "resolved", "endsAt": SystemClock().now().isoformat()}


def a_body(*alerts: dict[str, Any], **more: object) -> bytes:
    return json.dumps({"version": "4", "status": "firing", "alerts": alerts, **more}).encode()


async def eventually(
    claim: Callable[[], Awaitable[bool]], *, what: str, timeout_s: float = 20.0
) -> None:
    """Await a claim; polls, because what it waits for is outside of this process."""
    deadline = SystemClock().now() + timedelta(seconds=timeout_s)
    while not await claim():
        assert SystemClock().now() < deadline, f"{what} did not come true in {timeout_s} s"
        await asyncio.sleep(0.02)


async def told(service: AlertService, number: int, *kinds: tuple[str, str]) -> IncidentDetail:
    """Wait until the channels have accepted these messages."""

    async def done() -> bool:
        try:
            detail = await service.incident(number)
        except IncidentUnknownError:  # alerts are answered before they are in an incident
            return False
        accepted = {(d.channel, d.kind) for d in detail.deliveries if d.state == "done"}
        return accepted >= set(kinds)

    await eventually(done, what=f"{kinds} accepted")
    return await service.incident(number)


class _Tokens(httpx2.Auth):
    """Shows whoever takes alerts the one token and everybody else the other."""

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        taken = request.method == "POST" and "incidents" not in request.url.path
        request.headers["Authorization"] = f"Bearer {TOKEN if taken else RESPOND}"
        yield request


@dataclass
class Process:
    """The service as its own process."""

    server: Server
    client: httpx2.Client

    def post(self, *alerts: dict[str, Any]) -> httpx2.Response:
        return self.client.post("/v1/alertmanager", content=a_body(*alerts))


@contextmanager
def a_process(channels: Channels, folder: Path, *options: str) -> Iterator[Process]:
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    endpoints = folder / "endpoints.json"
    endpoints.write_bytes(msgspec.json.encode(endpoints_of(channels)))
    argv: list[str | Path] = [Path(sys.executable).with_name("abops"), "alerts", "serve"]
    argv += ["--inventory", ROOT / "platform.yaml", "--env", "local", "--port", str(port)]
    argv += ["--data-dir", folder / "data", "--endpoints", endpoints, *options]
    shown = channels.folder / "secrets" / "respond"
    shown.write_text(RESPOND)
    url = f"http://127.0.0.1:{port}"
    with (
        running(
            argv, port=port, log=folder / "log", ready=lambda: answers(f"{url}/readyz")
        ) as server,
        httpx2.Client(base_url=url, auth=_Tokens(), trust_env=False) as client,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("ABOPS_ALERTS_TOKEN_FILE", str(shown))
        yield Process(server, client)
