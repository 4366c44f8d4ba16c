"""Each team is paged with its own key of PagerDuty; while there is none, with the shared one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from abops.alerts.model import Channel, Routing, Team
from abops.alerts.service.probe import probe_channels
from abops.kernel.clock import SystemClock
from support.alerts import a_body, a_routing, a_service, an_alert, endpoints_of, over, told
from support.channels import Channels

OWN = "pd-worker"
KEY = "fedcba9876543210fedcba9876543210"


class OwnKey:
    """The file of the team's own key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def give(self) -> None:
        self.path.write_text(KEY)

    def take_away(self) -> None:
        self.path.unlink(missing_ok=True)


@pytest.fixture
def own_key(channels: Channels) -> Iterator[OwnKey]:
    """Return the team's own key, which is not there yet."""
    key = OwnKey(channels.folder / "secrets" / OWN)
    key.take_away()
    yield key
    key.take_away()


def two_teams() -> Routing:
    routing = a_routing()
    own = Channel("pd-own", "pagerduty", OWN, fallback_file="pd-dev")
    team = Team("worker", page="pd-own", chat="chat")
    return replace(
        routing,
        channels=routing.channels | {"pd-own": own},
        teams=routing.teams | {"worker": team},
        owners={"worker": "worker"},
    )


def paged(channels: Channels) -> list[tuple[str, str]]:
    """Return what PagerDuty got, and by which key."""
    received = channels.received("pagerduty")
    return [(r["action"], r["payload"]["integration"]) for r in received]


async def test_each_team_is_paged_with_its_own_key(
    channels: Channels, tmp_path: Path, own_key: OwnKey
) -> None:
    own_key.give()
    async with a_service(channels, tmp_path, routing=two_teams()) as service:
        await service.ingest(a_body(an_alert("A")))
        await told(service, 1, ("pd", "open"))
        await service.ingest(a_body(an_alert("B", service="worker", env="other")))
        await told(service, 2, ("pd-own", "open"))
    assert [("trigger", "pd-dev"), ("trigger", OWN)] == paged(channels)
    assert [] == channels.violations("pagerduty")


async def test_what_was_told_by_the_shared_key_ends_by_it(
    channels: Channels, tmp_path: Path, own_key: OwnKey
) -> None:
    alert = an_alert(service="worker")
    async with a_service(channels, tmp_path, routing=two_teams()) as service:
        await service.ingest(a_body(alert))
        await told(service, 1, ("pd-own", "open"))
        own_key.give()
        await service.ack(1, by="ana")
        await told(service, 1, ("pd-own", "ack"))
        await service.ingest(a_body(over(alert)))
        await told(service, 1, ("pd-own", "resolve"))
        await service.ingest(a_body(an_alert("Another", service="worker", env="other")))
        await told(service, 2, ("pd-own", "open"))
    shared = [(action, "pd-dev") for action in ("trigger", "acknowledge", "resolve")]
    assert [*shared, ("trigger", OWN)] == paged(channels)


async def test_a_key_that_is_taken_away_pages_nobody_less(
    channels: Channels, tmp_path: Path, own_key: OwnKey
) -> None:
    own_key.give()
    async with a_service(channels, tmp_path, routing=two_teams()) as service:
        await service.ingest(a_body(an_alert(service="worker")))
        await told(service, 1, ("pd-own", "open"))
        own_key.take_away()
        await service.ack(1, by="ana")
        await told(service, 1, ("pd-own", "ack"))
        await service.unack(1, by="ana")
        await told(service, 1, ("pd-own", "unack"))
    assert ("trigger", "pd-dev") == paged(channels)[-1]


async def test_taken_back_at_pagerduty_it_rings_at_the_other_teams_key(
    channels: Channels, tmp_path: Path, own_key: OwnKey
) -> None:
    own_key.give()
    routing = two_teams()
    routing = replace(
        routing, routes=(replace(routing.routes[1], send=("pd", "pd-own")), *routing.routes)
    )
    async with a_service(channels, tmp_path, routing=routing) as service:
        await service.ingest(a_body(an_alert()))
        await told(service, 1, ("pd", "open"), ("pd-own", "open"))
        await service.ack(1, by="ana")
        await told(service, 1, ("pd", "ack"), ("pd-own", "ack"))
        await service.unack(1, by="ana", via="pagerduty")
        await told(service, 1, ("pd", "unack"), ("pd-own", "unack"))
    assert {("trigger", "pd-dev"), ("trigger", OWN)} <= set(paged(channels)[-4:])


async def test_the_probe_says_whose_key_is_missing(channels: Channels, own_key: OwnKey) -> None:
    routing = two_teams()
    own_key.take_away()
    found = await probe_channels(routing, endpoints_of(channels), SystemClock())
    said = {probed.channel: (probed.passed, probed.said) for probed in found}
    assert said["pd-own"][0]
    assert f"{OWN} is not there, pd-dev pages for it" in said["pd-own"][1]
    assert OWN not in said["pd"][1]
