"""The hourly digest on its way: one message for all of it, each once, whatever a channel does."""

from pathlib import Path

from msgspec.structs import replace

from abops.alerts.model import Routing
from abops.alerts.service import AlertService
from support.alerts import a_body, a_routing, a_service, eventually, told
from support.channels import Channels
from support.keep import unrelated


def hourly() -> Routing:
    routing = a_routing()
    routes = tuple(
        replace(route, digest="always") if route.send == ("chat",) else route
        for route in routing.routes
    )
    return replace(routing, routes=routes)


async def an_hour_passes(service: AlertService, count: int) -> None:
    """Make what waits for the digest due, once so much does."""

    async def waits() -> bool:
        found = await service._vault.read(  # noqa: SLF001 - nobody sees what waits
            lambda c: c.exec_driver_sql(
                "SELECT count(*) FROM outbox WHERE kind = 'hourly' AND state = 'pending'"
            ).scalar_one()
        )
        return int(found) == count

    await eventually(waits, what=f"{count} lines of the digest")
    await service._vault.write(  # noqa: SLF001 - time does not pass in a test
        lambda unit: (
            unit.channels.add("chat")
            or (
                unit.connection.exec_driver_sql(
                    "UPDATE outbox SET next_at = 0 WHERE kind = 'hourly'"
                )
                and None
            )
        )
    )


async def test_what_an_hour_brought_is_one_message(channels: Channels, tmp_path: Path) -> None:
    alerts = [unrelated(n, severity="info") for n in range(3)]
    async with a_service(channels, tmp_path, routing=hourly()) as service:
        await service.ingest(a_body(*alerts))
        await an_hour_passes(service, 3)
        for number in (1, 2, 3):
            await told(service, number, ("chat", "hourly"))
    (message,) = channels.received("slack")
    for number in (1, 2, 3):
        assert f"INC-{number}" in str(message)
    assert [] == channels.violations("slack")


async def test_a_digest_that_was_not_taken_is_told_once(channels: Channels, tmp_path: Path) -> None:
    alerts = [unrelated(n, severity="info") for n in range(2)]
    async with a_service(channels, tmp_path, routing=hourly()) as service:
        await service.ingest(a_body(*alerts))
        channels.control("slack", mode="5xx", count=1)
        await an_hour_passes(service, 2)
        for number in (1, 2):
            await told(service, number, ("chat", "hourly"))
        attempts = [
            d.attempts
            for n in (1, 2)
            for d in (await service.incident(n)).deliveries
            if d.kind == "hourly"
        ]
    assert [2, 2] == attempts
    assert 1 == len([m for m in channels.received("slack") if m["action"] == "chat.postMessage"])
