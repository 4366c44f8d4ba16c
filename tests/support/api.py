"""The alert service behind its web server, as a program talks to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from abops.alerts.access.roles import ROLES
from abops.alerts.model import Actor
from abops.alerts.service.access import Access
from abops.entry.web.gate import COOKIE, CSRF_HEADER
from support.alerts import RESPOND, TOKEN, a_body, a_process, an_alert, eventually
from support.channels import prepared
from support.servers import free_port

READ = "read-token-of-the-tests"
TOKENS = {"ingest": TOKEN, "respond": RESPOND, "read": READ}
Headers = dict[str, str]


def bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Door:
    """A service that runs as a process, and everybody who may knock: people and programs."""

    client: httpx2.Client
    people: dict[str, Headers]
    """By role: what their browser shows, with the token of its forms."""

    @property
    def callers(self) -> dict[str, Headers]:
        """By name of who they are: what they show."""
        programs = {f"the token {name}": bearer(token) for name, token in TOKENS.items()}
        return self.people | programs

    def described(self) -> dict[str, Any]:
        answer = self.client.get("/v1/openapi.json", headers=bearer(READ))
        document: dict[str, Any] = answer.json()
        return document

    def let_in(self, operation: dict[str, Any]) -> Headers:
        """Return what the least of those shows whom the description lets in."""
        scopes, roles = operation.get("x-scopes", []), operation.get("x-roles", [])
        if scopes:
            return bearer(TOKENS[scopes[-1]])
        return self.people[roles[0]] if roles else {}


@contextmanager
def a_door(folder: Path) -> Iterator[Door]:
    """Run a service with a few incidents. Nobody listens where messages would go."""
    channels = prepared(folder / "channels")
    for name, secret in TOKENS.items():
        (channels.folder / "secrets" / name).write_text(secret)
    with (
        a_process(channels, folder / "service") as process,
        httpx2.Client(base_url=process.client.base_url, trust_env=False, timeout=20) as client,
    ):
        access = Access(folder / "service" / "data")
        access.open()
        by = Actor("tests", "cli")
        people = {}
        for role in ROLES:
            invited = access.invite(f"a-{role}", role, by)
            signed = access.accept(invited, "a long pass phrase")
            people[role] = {
                "Cookie": f"{COOKIE}={signed.secret}",
                CSRF_HEADER: signed.caller.csrf,
            }
        access.close()
        firing = a_body(*(an_alert(f"A{n}", service=f"s{n}") for n in range(5)))
        taken = client.post("/v1/alertmanager", content=firing, headers=bearer(TOKEN))
        assert 200 == taken.status_code
        yield Door(client, people)


@asynccontextmanager
async def listening(app: FastAPI, port: int | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve an application; give a client that carries the tests' token."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port or free_port(), log_config=None, timeout_graceful_shutdown=1)
    )
    running = asyncio.create_task(server.serve())
    try:
        await eventually(_started(server), what="the server is up")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{server.config.port}"
        async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await running


def _started(server: uvicorn.Server) -> Callable[[], Awaitable[bool]]:
    async def started() -> bool:
        return server.started

    return started
