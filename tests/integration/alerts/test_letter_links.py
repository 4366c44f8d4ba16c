"""A link in a letter shows a button; only the button acknowledges."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from abops.alerts.model import ServiceConfig
from abops.alerts.service import AlertService
from abops.alerts.service.access import Access
from abops.alerts.service.signing import LASTS_S, LinkError, Signing
from abops.entry.web.app import create_app
from support.alerts import PROMPT, a_body, a_routing, an_alert, endpoints_of, eventually, told
from support.api import listening
from support.channels import Channels

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


@asynccontextmanager
async def served(
    channels: Channels, folder: Path
) -> AsyncIterator[tuple[AlertService, httpx2.AsyncClient]]:
    config = ServiceConfig(
        env="production",
        routing=a_routing(),
        data_dir=folder,
        endpoints=endpoints_of(channels),
        settings=PROMPT,
    )
    service = AlertService(config)
    async with listening(create_app(service, access=Access(folder))) as client:
        del client.headers["Authorization"]
        yield service, client


async def link_in(channels: Channels, service: AlertService) -> str:
    """Have a letter sent and return the path of its link."""
    alert = an_alert("Report", severity="warning", category="mail", service="mailer")
    await service.ingest(a_body(alert))
    await told(service, 1, ("mail", "open"))

    async def letter() -> bool:
        return bool(links(channels))

    await eventually(letter, what="a letter with a link")
    return links(channels)[-1]


def links(channels: Channels) -> list[str]:
    found = httpx2.get(f"{channels.url('inbox')}/_received?channel=email").json()
    texts = [str(record["payload"]).replace("=\\n", "").replace("=\n", "") for record in found]
    return [path for text in texts for path in re.findall(r"/letters/[A-Za-z0-9_=-]+", text)]


async def test_opening_a_link_changes_nothing_and_its_button_acknowledges(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (service, client):
        path = await link_in(channels, service)
        for method in ("GET", "HEAD", "GET"):
            answer = await client.request(method, path)
            assert answer.status_code in {200, 405}
        assert "open" == (await service.incident(1)).summary.state
        page = await client.get(path)
        assert (200, True) == (page.status_code, "I take care of it" in page.text)
        done = await client.post(path)
        assert 303 == done.status_code
        summary = (await service.incident(1)).summary
        assert ("acked", "a reader of mail") == (summary.state, summary.acked_by)
        after = await client.get(path)
        assert "a reader of mail takes care of it" in after.text
        assert "<form" not in after.text
        assert 303 == (await client.post(path)).status_code  # once more changes nothing


async def test_a_link_that_was_changed_opens_nothing(channels: Channels, tmp_path: Path) -> None:
    async with served(channels, tmp_path) as (service, client):
        path = await link_in(channels, service)
        for wrong in (
            path[:-2],
            path + "AA",
            path.replace("/letters/", "/letters/A"),
            "/letters/x",
        ):
            assert 404 == (await client.get(wrong)).status_code, wrong
            assert 404 == (await client.post(wrong)).status_code, wrong
        assert "open" == (await service.incident(1)).summary.state


def a_signing(folder: Path) -> Signing:
    return Signing(ServiceConfig("local", a_routing(), folder))


def test_a_link_is_good_for_a_day_in_its_own_installation(tmp_path: Path) -> None:
    signing = a_signing(tmp_path)
    token = signing.sign(7, 12, "mail", NOW)
    assert 12 == a_signing(tmp_path).read(7, token, NOW + LASTS_S - 1).number  # also by the next
    with pytest.raises(LinkError):
        signing.read(7, token, NOW + LASTS_S)
    with pytest.raises(LinkError):
        signing.read(8, token, NOW)
    with pytest.raises(LinkError):
        a_signing(tmp_path / "other").read(7, token, NOW)


def test_the_key_is_nobody_elses_to_read(tmp_path: Path) -> None:
    a_signing(tmp_path).sign(7, 12, "mail", NOW)
    assert 0o600 == (tmp_path / "letters-key").stat().st_mode & 0o777
