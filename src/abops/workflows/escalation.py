"""The rehearsal of an escalation: nobody takes an incident, somebody does, and gives it back.

A service and channel servers of its own run for as long as it takes; the policy's times are
divided by the speed, the service's clock is the real one. A level counts as paged when the
channel has accepted the page.
"""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from abops.alerts.model import (
    DEFAULT_POLICY,
    Endpoints,
    IncidentSummary,
    Level,
    Policy,
    ServiceConfig,
    ServiceSettings,
)
from abops.alerts.route.from_inventory import routing_of
from abops.alerts.service import AlertService
from abops.alerts.store.duty import PageRow
from abops.inventory.load import load_inventory
from abops.kernel.errors import OpsError, UsageError
from abops.stack.channels.config import HOST, ChannelConfig
from abops.stack.channels.server import ChannelServers
from abops.stack.credentials import make_credentials

LATE_AT_MOST_S: Final = 2.0
"""Real seconds: the service looks at its timers every second."""
EARLY_AT_MOST_S: Final = 0.1
"""Real seconds: what is given back is seen by the service before it is answered."""
_POLL_S: Final = 0.1
_NOBODY, _SOMEBODY = "rehearsal-nobody", "rehearsal-somebody"


class NothingToRehearseError(UsageError):
    """The inventory has no such escalation of two levels or more."""

    hint = "Add it to `alerts.escalation` with its levels, or name another: --policy NAME."


class Step(Struct, frozen=True):
    """Something that was promised, when it was due and when it happened."""

    what: str
    due_s: float
    happened_s: float | None
    """Real seconds. None: it did not happen."""
    speed: float
    passed: bool

    def row(self) -> dict[str, Any]:
        """Return it in minutes of the policy."""
        happened = self.happened_s
        return {
            "what": self.what,
            "due": f"{self.due_s * self.speed / 60:.1f} min",
            "happened": "not" if happened is None else f"{happened * self.speed / 60:.1f} min",
            "late": "" if happened is None else f"{max(happened - self.due_s, 0):.2f} s",
            "passed": self.passed,
        }


def rehearse(inventory: Path, speed: float, name: str = DEFAULT_POLICY) -> list[Step]:
    """Run the rehearsal of one policy; raises NothingToRehearseError."""
    routing = routing_of(load_inventory(inventory))
    known = {**routing.policies, DEFAULT_POLICY: routing.escalation}
    policy = known.get(name)
    if policy is None or len(policy.levels) < 2:  # noqa: PLR2004 - a ladder has two rungs
        raise NothingToRehearseError(f"there is no escalation {name!r} to rehearse")
    quick = Policy(
        levels=tuple(Level(level.team, level.after_s / speed) for level in policy.levels),
        repeat=policy.repeat,
        ack_expires_s=policy.ack_expires_s / speed,
        resume_after_s=policy.resume_after_s / speed,
        remind_every_s=policy.remind_every_s / speed,
    )
    with tempfile.TemporaryDirectory(prefix="abops-rehearsal-") as folder:
        config = ServiceConfig(
            env="rehearsal",
            routing=replace(routing, escalation=quick, policies={}),
            data_dir=Path(folder) / "data",
            settings=ServiceSettings(heartbeat_timeout_s=86_400),  # no Watchdog is here
        )
        return asyncio.run(_rehearse(config, Path(folder), speed))


async def _rehearse(config: ServiceConfig, folder: Path, speed: float) -> list[Step]:
    async with _channels(folder) as endpoints:
        service = AlertService(replace(config, endpoints=endpoints))
        await service.start()
        try:
            play = _Play(service, speed)
            nobody, somebody = await asyncio.gather(play.nobody(), play.somebody())
        finally:
            await service.stop()
    return [*nobody, *somebody]


class _Play:
    """Two incidents at once: one that nobody takes, one that somebody takes and gives back."""

    def __init__(self, service: AlertService, speed: float) -> None:
        self._service = service
        self._speed = speed
        policy = service.config.routing.escalation
        assert policy is not None  # noqa: S101 - rehearse() has seen to it
        self._policy = policy

    async def nobody(self) -> list[Step]:
        """See every level paged in its time."""
        incident = await self._raise(_NOBODY)
        began = incident.opened_at.timestamp()
        steps = []
        for number, level in enumerate(self._policy.levels, start=1):
            what = f"level {number} ({level.team}) paged, nobody acknowledged"
            page = await self._paged(incident.number, number, began + level.after_s)
            steps.append(self._step(what, level.after_s, page, began))
        return [*steps, await self._accepted(incident.number)]

    async def somebody(self) -> list[Step]:
        """See an acknowledgement stop the ladder, and its withdrawal let it go on."""
        incident = await self._raise(_SOMEBODY)
        began, number = incident.opened_at.timestamp(), incident.number
        second = self._policy.levels[1].after_s
        await self._paged(number, 1, began)
        await self._service.ack(number, by="rehearsal", via="cli")
        page = await self._paged(number, 2, began + second)
        stopped = Step(
            "acknowledged: level 2 is not paged", second, None, self._speed, passed=page is None
        )
        await self._service.unack(number, by="rehearsal", via="cli")
        freed = self._now()
        resume = self._policy.resume_after_s
        page = await self._paged(number, 2, freed + resume)
        what = "given back: level 2 paged, counted from then"
        return [stopped, self._step(what, resume, page, freed)]

    async def _raise(self, name: str) -> IncidentSummary:
        alert = {
            "status": "firing",
            "labels": {
                "alertname": name.title().replace("-", ""),
                "severity": "critical",
                "service": name,
                "env": name,
                "team": self._policy.levels[0].team,
            },
            "annotations": {"summary": "A rehearsal of the escalation: nothing is wrong."},
            "startsAt": self._service.clock.now().isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
        }
        await self._service.ingest(msgspec.json.encode({"version": "4", "alerts": [alert]}))
        end = self._now() + LATE_AT_MOST_S
        while self._now() < end:
            for incident in await self._service.incidents():
                if incident.service == name:
                    return incident
            await asyncio.sleep(_POLL_S)
        raise OpsError("the rehearsal's incident did not open")

    async def _paged(self, number: int, level: int, due: float) -> PageRow | None:
        """Wait until the level is paged, or until it is late."""
        while True:
            late = self._now() > due + LATE_AT_MOST_S
            for page in await self._service.pages(number):
                if page.level == level:
                    return page
            if late:
                return None
            await asyncio.sleep(_POLL_S)

    async def _accepted(self, number: int) -> Step:
        """See that PagerDuty has taken every page."""
        teams = self._service.config.routing.teams
        channels = {teams[level.team].page for level in self._policy.levels}
        wanted = len(self._policy.levels)
        end = self._now() + 5 * LATE_AT_MOST_S
        taken = 0
        while taken < wanted and self._now() < end:
            await asyncio.sleep(_POLL_S)
            told = (await self._service.incident(number)).deliveries
            taken = sum(
                d.state == "done" and d.channel in channels and d.kind in ("open", "escalate")
                for d in told
            )
        what = f"{', '.join(sorted(channels))} accepted {taken} of {wanted} pages"
        return Step(what, 0.0, None if taken < wanted else 0.0, self._speed, passed=taken >= wanted)

    def _step(self, what: str, due_s: float, page: PageRow | None, since: float) -> Step:
        happened = None if page is None else page.at - since
        in_time = happened is not None and -EARLY_AT_MOST_S <= happened - due_s <= LATE_AT_MOST_S
        return Step(what, due_s, happened, self._speed, passed=in_time)

    def _now(self) -> float:
        return self._service.clock.now().timestamp()


@asynccontextmanager
async def _channels(folder: Path) -> AsyncIterator[Endpoints]:
    """Run channel servers on free ports while the block runs."""
    secrets = folder / "secrets"
    ports = _free_ports(5)
    slack, pagerduty, telegram, smtp, inbox = ports
    config = ChannelConfig(
        slack_port=slack,
        pagerduty_port=pagerduty,
        telegram_port=telegram,
        smtp_port=smtp,
        inbox_port=inbox,
        data_dir=str(folder / "channels"),
        secrets_dir=str(secrets),
    )
    make_credentials(secrets, slack_url=f"http://{HOST}:{config.slack_port}")
    servers = ChannelServers(config)
    running = asyncio.create_task(servers.run())
    try:
        for port in ports:
            await _answers(port, running)
        yield Endpoints(
            slack_api_url=f"http://{HOST}:{config.slack_port}/api/",
            pagerduty_url=f"http://{HOST}:{config.pagerduty_port}/v2/enqueue",
            telegram_url=f"http://{HOST}:{config.telegram_port}",
            smtp_host=HOST,
            smtp_port=config.smtp_port,
            secrets_dir=str(secrets),
        )
    finally:
        servers.stop()
        await running


async def _answers(port: int, running: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(20):
        while not running.done():
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(_POLL_S)
                continue
            writer.close()
            return


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
