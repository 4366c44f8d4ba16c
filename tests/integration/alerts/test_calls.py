"""Calls that nobody wrote down join alerts like those that are: a real Jaeger saw them."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from abops.alerts.service import AlertService
from abops.alerts.service.calls import LOOK_BACK
from abops.alerts.service.memory import IncidentUnknownError
from abops.clients.jaeger import Jaeger
from abops.kernel.clock import SystemClock
from support import traces
from support.alerts import a_body, a_service, an_alert, eventually
from support.channels import Channels
from support.servers import wait_until
from support.traces import CLIENT, SERVER, a_span, new_trace, start_jaeger

PLATFORM = "shop"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[traces.Jaeger]:
    """A Jaeger that saw the basket call the ledger, and the ledger itself."""
    with start_jaeger(tmp_path_factory.mktemp("calls")) as server:
        trace, at = new_trace(), time.time_ns() - 60 * 10**9
        server.take(
            a_span(
                f"{PLATFORM}-basket",
                "pay",
                trace=trace,
                span="a" * 16,
                kind=CLIENT,
                start_ns=at,
                ms=9,
            ),
            a_span(
                f"{PLATFORM}-ledger",
                "book",
                trace=trace,
                span="b" * 16,
                parent="a" * 16,
                kind=SERVER,
                start_ns=at,
                ms=8,
            ),
            a_span(f"{PLATFORM}-ledger", "write", trace=trace, parent="b" * 16, start_ns=at, ms=7),
        )
        yield server


def made(url: str) -> tuple[tuple[str, str], ...]:
    client, now = Jaeger(url), SystemClock().now()
    try:
        return client.calls(now - LOOK_BACK, now + timedelta(seconds=1))
    finally:
        client.close()


def test_calls_between_services_are_told_and_a_service_of_its_own_is_not(
    server: traces.Jaeger,
) -> None:
    wait_until(lambda: bool(made(server.url)), what="the calls")
    assert ((f"{PLATFORM}-basket", f"{PLATFORM}-ledger"),) == made(server.url)


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "not traced"])
async def test_alerts_of_services_that_call_each_other_are_one_incident(
    channels: Channels, tmp_path: Path, server: traces.Jaeger, *, traced: bool
) -> None:
    url = server.url if traced else None
    async with a_service(channels, tmp_path, jaeger_url=url, name=PLATFORM) as service:

        async def known() -> bool:
            return ("basket", "ledger") in service.calls()

        if traced:
            await eventually(known, what="the call")
        await service.ingest(a_body(an_alert("LedgerSlow", service="ledger")))
        await service.ingest(a_body(an_alert("BasketFails", service="basket")))

        async def both() -> bool:
            return 2 == sum(map(len, await reasons(service)))

        await eventually(both, what="both alerts")
        found = await reasons(service)
    assert (1 if traced else 2) == len(found)
    assert traced is any("basket calls ledger" in why for whys in found for why in whys)


async def reasons(service: AlertService) -> list[list[str]]:
    """Return why each alert of each incident is in it."""
    found = []
    for number in (1, 2):
        try:
            detail = await service.incident(number)
        except IncidentUnknownError:
            break
        found.append([member.reason for member in detail.members])
    return found
