"""The console as people work at it: a real alert service, a gate, and people of every role.

Nothing of it leaves the process: the one channel is a port at which nobody answers.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from abops.alerts.model import (
    Actor,
    Channel,
    Endpoints,
    IncidentDetail,
    Level,
    OnCall,
    Policy,
    Route,
    Routing,
    ServiceConfig,
    ServiceSettings,
    Team,
)
from abops.alerts.route.matcher import parse_matchers
from abops.alerts.service import AlertService
from abops.alerts.service.access import Access
from abops.entry.web.app import create_app
from abops.entry.web.gate import COOKIE
from abops.kernel.clock import Clock, SystemClock
from support.servers import free_port, wait_until

URL = "http://127.0.0.1:9600"
PASSWORD = "correct horse battery"  # noqa: S105 - of a test's own people
PEOPLE = {"vera": "viewer", "rosa": "responder", "olga": "operator", "ada": "admin"}
BY = Actor("tests", "cli")
ROUTES = (('severity="critical"', ("page", "chat")), ('severity=~"warning|info"', ("chat",)))


def a_routing() -> Routing:
    """Return two teams that take turns, and an escalation from one to the other."""
    return Routing(
        public_url=URL,
        channels={
            "pd-dev": Channel("pd-dev", "pagerduty", secret_file="pd-dev"),  # noqa: S106 - a name
            "slack-ops": Channel("slack-ops", "slack", secret_file="slack", address="C0"),  # noqa: S106
        },
        teams={
            "dev": Team("dev", "pd-dev", "slack-ops", oncall=OnCall(("ana", "bo"))),
            "devops": Team("devops", "pd-dev", "slack-ops", oncall=OnCall(("cem",))),
        },
        routes=tuple(Route(match, parse_matchers(match), send) for match, send in ROUTES),
        owners={"api": "dev", "postgres": "devops"},
        escalation=Policy((Level("dev", 0), Level("devops", 900))),
    )


class Desk:
    """A service with its people, and the application in front of both."""

    def __init__(
        self,
        folder: Path,
        clock: Clock | None = None,
        *,
        routing: Routing | None = None,
        **settings: Any,  # noqa: ANN401 - of the service
    ) -> None:
        self.folder = folder
        secrets_dir = folder / "secrets"
        secrets_dir.mkdir(parents=True)
        for name in ("ingest", "slack", "pd-dev"):
            (secrets_dir / name).write_text(secrets.token_urlsafe(24))
        nobody = f"http://127.0.0.1:{free_port()}"
        endpoints = Endpoints(
            slack_api_url=f"{nobody}/api/", pagerduty_url=nobody, secrets_dir=str(secrets_dir)
        )
        how = ServiceSettings(**({"heartbeat_timeout_s": 1e9, "resolve_after_s": 1e6} | settings))
        config = ServiceConfig(
            "local",
            routing or a_routing(),
            folder / "data",
            endpoints,
            how,
            calls=(("api", "postgres"),),
        )
        self.clock = clock or SystemClock()
        self.service = AlertService(config, self.clock)
        self.access = Access(folder / "data", self.clock)
        self.access.open()
        for name, role in PEOPLE.items():
            self.access.accept(self.access.invite(name, role, BY), PASSWORD)
        self.access.close()
        self.app = create_app(self.service, clock=self.clock, access=self.access)

    @property
    def headers(self) -> dict[str, str]:
        """Return what whoever sends alerts shows."""
        token = (self.folder / "secrets" / "ingest").read_text()
        return {"Authorization": f"Bearer {token}"}

    def alert(self, name: str, service: str = "api", **labels: str) -> dict[str, Any]:
        return {
            "status": "firing",
            "labels": {"alertname": name, "severity": "critical", "service": service}
            | {"env": "local"}
            | labels,
            "annotations": {"summary": f"{name} of {service}"},
            "startsAt": self.clock.now().isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
        }


class Seat:
    """Somebody who has signed in, with the token of their forms."""

    def __init__(self, desk: Desk, client: TestClient, name: str) -> None:
        self.desk = desk
        signed = desk.access.sign_in(name, PASSWORD)
        self.client = TestClient(
            desk.app, base_url=URL, follow_redirects=False, client=("127.0.0.1", 50_000)
        )
        self.client.portal = client.portal  # the loop in which the service runs
        self.client.cookies.set(COOKIE, signed.secret)
        self.csrf = signed.caller.csrf

    def page(self, path: str) -> str:
        answer = self.client.get(path)
        assert 200 == answer.status_code, answer.text[:400]
        return answer.text

    def sends(self, path: str, **fields: str | Sequence[str]) -> tuple[int, str]:
        """Submit a form; return the status and where it leads, or what the page says."""
        answer = self.client.post(path, data={"csrf": self.csrf, **fields})
        return answer.status_code, answer.headers.get("location", answer.text)


class Room:
    """A desk whose service runs, and the seats at it."""

    def __init__(self, desk: Desk, client: TestClient) -> None:
        self.desk = desk
        self._client = client
        self._seats: dict[str, Seat] = {}

    def seat(self, name: str) -> Seat:
        if name not in self._seats:
            self._seats[name] = Seat(self.desk, self._client, name)
        return self._seats[name]

    def fires(self, *alerts: dict[str, Any], incidents: int) -> None:
        """Send alerts and wait until there are so many incidents."""
        body = {"version": "4", "status": "firing", "alerts": list(alerts)}
        answer = self._client.post("/v1/alertmanager", json=body, headers=self.desk.headers)
        assert 200 == answer.status_code, answer.text
        wait_until(lambda: len(self.incidents()) == incidents, what=f"{incidents} incidents")

    def changed(self, **change: str) -> None:
        answer = self._client.post("/v1/changes", json=change, headers=self.desk.headers)
        assert 200 == answer.status_code, answer.text

    def incidents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.seat("ada").client.get("/v1/incidents").json()
        return found

    def incident(self, number: int) -> IncidentDetail:
        return self.ask(self.desk.service.incident, number)

    def ask(self, question: Any, *given: object) -> Any:  # noqa: ANN401 - of the service
        """Ask the service something, where it runs."""
        assert self._client.portal is not None
        return self._client.portal.call(question, *given)


@contextmanager
def a_room(desk: Desk) -> Iterator[Room]:
    """Let the desk's service run until the block ends."""
    with TestClient(desk.app, base_url=URL, client=("127.0.0.1", 50_000)) as client:
        yield Room(desk, client)
