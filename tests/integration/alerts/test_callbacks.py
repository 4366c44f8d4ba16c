"""From a button in a channel back to the incident, and from there to every other channel."""

import hmac
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx2
import msgspec

from abops.alerts.model import ServiceConfig
from abops.alerts.service import AlertService
from abops.entry.web.app import create_app
from abops.kernel.clock import SystemClock
from support.alert_stores import in_store
from support.alerts import (
    PROMPT,
    a_body,
    a_routing,
    an_alert,
    endpoints_of,
    eventually,
    told,
)
from support.api import listening
from support.channels import SECRETS, Channels, prepared, start
from support.servers import free_port

HOOK = "telegram-hook-secret"


@asynccontextmanager
async def served(
    channels: Channels,
    folder: Path,
    *,
    poll: bool = False,
    allow_unlinked: bool = True,
    port: int | None = None,
) -> AsyncIterator[tuple[AlertService, httpx2.AsyncClient, str]]:
    """Run a service behind its web server; give it, a client and its address."""
    (channels.folder / "secrets" / "telegram-hook").write_text(HOOK)
    service = AlertService(
        ServiceConfig(
            env="local",
            routing=a_routing(),
            data_dir=folder,
            endpoints=endpoints_of(channels),
            settings=PROMPT,
        )
    )
    app = create_app(service, allow_unlinked=allow_unlinked, poll_telegram=poll)
    async with listening(app, port) as client:
        del client.headers["Authorization"]
        yield service, client, str(client.base_url).rstrip("/")


async def press(channels: Channels, part: str, **wanted: object) -> dict[str, Any]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{channels.url(part)}/_press", json=wanted)
    assert 200 == answer.status_code, answer.text
    found: dict[str, Any] = answer.json()
    return found


def audited(folder: Path) -> list[tuple[str, str, str, str]]:
    return in_store(folder, "SELECT actor, via, action, subject FROM audit ORDER BY id")


def a_slack_message(channels: Channels, service: AlertService) -> dict[str, str]:
    where = service.config.routing.channels["chat"].address
    posted = next(r for r in channels.received("slack") if r["destination"] == where)
    return {"channel": where, "ts": posted["answer"]["ts"]}


async def opened(service: AlertService, **labels: str) -> None:
    await service.ingest(a_body(an_alert(**labels)))
    kinds = [("pd", "open"), ("chat", "open")] + ([("tg", "open")] if labels else [])
    await told(service, 1, *kinds)


async def test_a_button_in_slack_acknowledges_everywhere(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (service, _, url):
        await opened(service)
        message = a_slack_message(channels, service)
        hook = f"{url}/v1/callbacks/slack"
        answer = await press(channels, "slack", action="ack", user="U0ANA", url=hook, **message)
        assert 200 == answer["status"]
        await told(service, 1, ("pd", "ack"), ("chat", "ack"))
        detail = await service.incident(1)
        assert ("acked", "u0ana") == (detail.summary.state, detail.summary.acked_by)
        answer = await press(channels, "slack", action="unack", user="U0BO", url=hook, **message)
        assert 200 == answer["status"]
        await told(service, 1, ("pd", "unack"), ("chat", "unack"))
        await press(channels, "slack", action="resolve", user="U0BO", url=hook, **message)
        await told(service, 1, ("pd", "resolve"), ("chat", "resolve"))
    edits = [r for r in channels.received("slack") if r["action"] == "chat.update"]
    shown = [
        tuple(e["action_id"] for b in r["payload"]["blocks"] for e in b.get("elements", []))
        for r in edits
    ]
    assert [("unack", "resolve"), ("ack", "resolve"), ()] == [
        buttons for buttons, _ in itertools.groupby(shown)
    ]
    assert [[], []] == [channels.violations(part) for part in ("slack", "pagerduty")]


async def test_what_a_person_does_in_pagerduty_is_told_to_slack(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (service, _, url):
        await opened(service)
        key = channels.received("pagerduty")[0]["destination"]
        hook = f"{url}/v1/callbacks/pagerduty"
        for action, state in [("ack", "acked"), ("unacknowledge", "open"), ("resolve", "resolved")]:
            answer = await press(channels, "pagerduty", action=action, dedup_key=key, url=hook)
            assert 200 == answer["status"]
            summary = (await service.incident(1)).summary
            assert state == summary.state
        await told(service, 1, ("chat", "resolve"))


async def test_a_button_in_telegram_is_fetched_and_answered(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path, poll=True) as (service, _, _url):
        await opened(service, category="security")
        where = service.config.routing.channels["tg"].address
        sent = next(r for r in channels.received("telegram") if r["destination"] == where)
        number = sent["answer"]["message_id"]
        await press(channels, "telegram", action="ack", chat_id=where, message_id=number)
        await told(service, 1, ("pd", "ack"), ("chat", "ack"), ("tg", "ack"))
        assert "ana" == (await service.incident(1)).summary.acked_by
    assert [] == channels.violations("telegram")


async def test_a_press_by_telegrams_webhook_needs_its_secret_and_our_nonce(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (service, client, _):
        await opened(service, category="security")
        where = service.config.routing.channels["tg"].address
        sent = next(r for r in channels.received("telegram") if r["destination"] == where)
        row = sent["payload"]["reply_markup"]["inline_keyboard"][0]
        data = row[0]["callback_data"]
        header = {"X-Telegram-Bot-Api-Secret-Token": HOOK}

        async def hook(data: str, **headers: str) -> int:
            query = {"id": uuid4().hex, "from": {"id": 7, "username": "bo"}, "data": data}
            answer = await client.post(
                "/v1/callbacks/telegram", json={"callback_query": query}, headers=headers
            )
            return answer.status_code

        assert 401 == await hook(data)
        assert 200 == await hook("ack:1:0123456789abcdef", **header)
        assert "open" == (await service.incident(1)).summary.state
        assert 200 == await hook(data, **header)
        assert "bo" == (await service.incident(1)).summary.acked_by
    assert ("unknown", "telegram", "callback refused", "the Telegram secret token is wrong") in (
        audited(tmp_path)
    )


def signed_slack(body: bytes, secret: str, at: int) -> dict[str, str]:
    base = f"v0:{at}:".encode() + body
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": str(at),
        "X-Slack-Signature": "v0=" + hmac.new(secret.encode(), base, "sha256").hexdigest(),
    }


def an_interaction(channels: Channels, service: AlertService, user: str) -> bytes:
    message = a_slack_message(channels, service)
    posted = next(r for r in channels.received("slack") if r["destination"] == message["channel"])
    actions = next(b for b in posted["payload"]["blocks"] if b["type"] == "actions")
    payload = {
        "type": "block_actions",
        "trigger_id": uuid4().hex,
        "user": {"id": user, "username": user.lower()},
        "channel": {"id": message["channel"]},
        "actions": [actions["elements"][0] | {"action_ts": "1.0"}],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


async def test_forged_old_and_repeated_calls_change_nothing_and_are_audited(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (service, client, _):
        await opened(service)
        body = an_interaction(channels, service, "U0ANA")
        now = int(SystemClock().now().timestamp())
        cases = [
            ({}, 401),
            (signed_slack(body, "another secret", now), 401),
            (signed_slack(body, SECRETS["slack-sign"], now - 301), 401),
        ]
        for headers, status in cases:
            answer = await client.post("/v1/callbacks/slack", content=body, headers=headers)
            assert status == answer.status_code
        assert "open" == (await service.incident(1)).summary.state
        good = signed_slack(body, SECRETS["slack-sign"], now)
        statuses = [
            (await client.post("/v1/callbacks/slack", content=body, headers=good)).status_code
            for _ in range(2)
        ]
        assert [200, 401] == statuses
        assert "acked" == (await service.incident(1)).summary.state
        forged = await client.post(
            "/v1/callbacks/pagerduty", content=b"{}", headers={"X-PagerDuty-Signature": "v1=00"}
        )
        assert 401 == forged.status_code
    refused = [row for row in audited(tmp_path) if row[2] == "callback refused"]
    assert 5 == len(refused)


async def test_pagerduty_hears_2xx_whatever_its_incident_is(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (_, client, _url):
        event = {
            "id": "E1",
            "event_type": "incident.acknowledged",
            "agent": {"id": "P0ANA", "type": "user_reference"},
            "data": {"incident_key": "somebody else's"},
        }
        bodies: list[object] = [{"event": event}, {"event": {**event, "data": {}}}, {"a": 1}, []]
        for said in bodies:
            body = json.dumps(said).encode()
            signature = hmac.new(SECRETS["pd-hook"].encode(), body, "sha256").hexdigest()
            answer = await client.post(
                "/v1/callbacks/pagerduty",
                content=body,
                headers={"X-PagerDuty-Signature": f"v1={signature}"},
            )
            assert 200 == answer.status_code


async def test_only_linked_people_with_the_role_may_press(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path, allow_unlinked=False) as (service, client, _):
        await opened(service)
        in_store(
            tmp_path,
            "INSERT INTO principal (name, role, slack, created_at) VALUES (?, ?, ?, 0)",
            ("ana", "responder", "U0ANA"),
            ("vic", "viewer", "U0VIC"),
        )

        async def by(user: str) -> str:
            body = an_interaction(channels, service, user)
            headers = signed_slack(
                body, SECRETS["slack-sign"], int(SystemClock().now().timestamp())
            )
            answer = await client.post("/v1/callbacks/slack", content=body, headers=headers)
            assert 200 == answer.status_code
            return (await service.incident(1)).summary.acked_by

        assert ["", "", "ana"] == [await by("U0EVE"), await by("U0VIC"), await by("U0ANA")]

        async def whispered() -> bool:
            said = [r for r in channels.received("slack") if r["action"] == "chat.postEphemeral"]
            return {"U0EVE", "U0VIC"} == {r["payload"]["user"] for r in said}

        await eventually(whispered, what="those who may not are told why")
    assert ("U0EVE", "slack", "ack refused", "INC-1") in audited(tmp_path)


async def test_the_buttons_of_the_inbox_close_the_circle(tmp_path: Path) -> None:
    channels = prepared(tmp_path / "channels")
    port = free_port()
    path = channels.folder / "channels.json"
    told_to = {"alert_service_url": f"http://127.0.0.1:{port}"}
    path.write_text(json.dumps(json.loads(path.read_text()) | told_to))
    with start(channels):
        async with (
            served(channels, tmp_path / "data", poll=True, port=port) as (service, _, _url),
            httpx2.AsyncClient(base_url=channels.url("inbox"), trust_env=False) as inbox,
        ):
            await opened(service, category="security")

            async def click(channel: str, action: str, state: str) -> None:
                page = (await inbox.get("/_page")).json()
                shown = next(c for c in page["channels"] if c["name"] == channel)["received"]
                with_it = [r for r in shown if action in [b["action"] for b in r["buttons"]]]
                assert 1 == len(with_it)
                wanted = {"number": with_it[0]["number"], "action": action}
                answer = await inbox.post("/_press", json=wanted)
                assert 200 == answer.status_code, answer.text

                async def so() -> bool:
                    return (await service.incident(1)).summary.state == state

                await eventually(so, what=f"{action} in {channel}: {state}")

            await click("slack", "ack", "acked")
            await told(service, 1, ("pd", "ack"), ("chat", "ack"), ("tg", "ack"))
            await click("telegram", "unack", "open")
            await told(service, 1, ("pd", "unack"), ("chat", "unack"), ("tg", "unack"))
            await click("pagerduty", "resolve", "resolved")
            await told(service, 1, ("chat", "resolve"), ("tg", "resolve"))
            foreign = {"Sec-Fetch-Site": "cross-site"}
            refused = await inbox.post(
                "/_press", json={"number": 1, "action": "ack"}, headers=foreign
            )
            assert 403 == refused.status_code
        assert [[], [], []] == [
            channels.violations(part) for part in ("slack", "pagerduty", "telegram")
        ]


def test_the_nonce_of_a_button_is_no_secret_itself(channels: Channels) -> None:
    assert all(
        secret not in msgspec.json.encode(channels.received("telegram")).decode()
        for secret in SECRETS.values()
    )
