"""Accounts in the chats become people's: by an admin, or by a code that is said to the bot."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest
from click.testing import CliRunner

from abops.alerts.access.person import Caller
from abops.alerts.model import Actor, ServiceConfig
from abops.alerts.service import AlertService
from abops.alerts.service.access import Access, InvitationError
from abops.alerts.service.linking import WRONG_A_MINUTE, AccountError, NobodyError
from abops.entry.cli.alert_access import user
from abops.entry.web.app import create_app
from abops.kernel.clock import SystemClock
from support.alerts import PROMPT, a_body, a_routing, an_alert, endpoints_of, eventually, told
from support.api import listening
from support.channels import SECRETS, Channels
from support.clocks import SetClock

BY = Actor("root", "cli")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def access(tmp_path: Path) -> Access:
    made = Access(tmp_path, SetClock(NOW))
    made.open()
    made.invite("ana", "responder", BY)
    made.invite("bo", "viewer", BY)
    return made


@asynccontextmanager
async def served(
    channels: Channels, folder: Path
) -> AsyncIterator[tuple[AlertService, Access, httpx2.AsyncClient]]:
    """Run a service that fetches from Telegram and knows people."""
    config = ServiceConfig(
        env="production",
        routing=a_routing(),
        data_dir=folder,
        endpoints=endpoints_of(channels),
        settings=PROMPT,
    )
    service, access = AlertService(config), Access(folder)
    app = create_app(service, poll_telegram=True, access=access)
    async with listening(app) as client:
        access.invite("ana", "responder", BY)
        yield service, access, client


async def say(channels: Channels, text: str, user: int = 100) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        body = {"chat_id": str(user), "text": text, "user": user}
        answer = await client.post(f"{channels.url('telegram')}/_say", json=body)
    assert 200 == answer.status_code, answer.text


async def answered(channels: Channels, words: str) -> None:
    async def so() -> bool:
        return any(words in record["summary"] for record in channels.received("telegram"))

    await eventually(so, what=f"the answer {words!r}")


async def test_a_code_said_to_the_bot_gives_the_press_a_name(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (service, access, _):
        await service.ingest(a_body(an_alert(category="security")))
        await told(service, 1, ("tg", "open"))
        await say(channels, f"/link {access.linking.code('ana', BY)}")
        await answered(channels, "This account is ana")
        where = service.config.routing.channels["tg"].address
        sent = next(r for r in channels.received("telegram") if r["destination"] == where)
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.post(
                f"{channels.url('telegram')}/_press",
                json={
                    "action": "ack",
                    "chat_id": where,
                    "message_id": sent["answer"]["message_id"],
                },
            )
        await told(service, 1, ("pd", "ack"))
        summary = (await service.incident(1)).summary
    assert ("acked", "ana") == (summary.state, summary.acked_by)


async def test_a_wrong_code_links_nobody(channels: Channels, tmp_path: Path) -> None:
    async with served(channels, tmp_path) as (_, access, _client):
        access.linking.code("ana", BY)
        await say(channels, "/link AAAAAAAA")
        await answered(channels, "I do not know this code")
        assert {"ana": {}} == access.linking.accounts()


async def test_a_slash_command_in_slack_links_too(channels: Channels, tmp_path: Path) -> None:
    async with served(channels, tmp_path) as (_, access, client):
        code = access.linking.code("ana", BY)
        body = urlencode(
            {"command": "/abops", "text": f"link {code}", "user_id": "U0ANA", "channel_id": "C0"}
        ).encode()
        at = str(int(SystemClock().now().timestamp()))
        signed = hmac.new(
            SECRETS["slack-sign"].encode(), b"v0:" + at.encode() + b":" + body, "sha256"
        )
        headers = {
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": f"v0={signed.hexdigest()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = await client.post("/v1/callbacks/slack", content=body, headers=headers)
        assert (200, "ephemeral") == (answer.status_code, answer.json()["response_type"])
        assert {"ana": {"slack": "U0ANA"}} == access.linking.accounts()
        headers["X-Slack-Signature"] = "v0=" + "0" * 64
        forged = await client.post("/v1/callbacks/slack", content=body, headers=headers)
        assert 401 == forged.status_code


async def test_the_console_asks_for_a_code_and_a_program_may_not(
    channels: Channels, tmp_path: Path
) -> None:
    async with served(channels, tmp_path) as (_, access, client):
        signed = access.accept(access.invite("ana", "responder", BY), "a long pass phrase")
        token = access.add_token("ana", "read", BY)
        client.headers.pop("Authorization")
        anybody = await client.post("/v1/me/link-code")
        program = await client.post(
            "/v1/me/link-code", headers={"Authorization": f"Bearer {token}"}
        )
        assert (401, 401) == (anybody.status_code, program.status_code)
        client.cookies.set("abops_session", signed.secret)
        forged = await client.post("/v1/me/link-code")
        assert 403 == forged.status_code
        csrf = {"X-CSRF-Token": signed.caller.csrf}
        made = await client.post("/v1/me/link-code", headers=csrf)
        assert 201 == made.status_code, made.text
        assert "ana" == access.linking.claim(made.json()["code"], "telegram", "77")
        assert {"telegram": "77"} == (await client.get("/v1/me/accounts")).json()
        others = await client.put(
            "/v1/users/ana/accounts", json={"via": "slack", "account": "U1"}, headers=csrf
        )
        assert 403 == others.status_code  # a responder is no admin
        gone = await client.delete("/v1/me/accounts/telegram", headers=csrf)
        assert (200, {}) == (gone.status_code, access.linking.accounts()["ana"])


def test_a_code_counts_once(access: Access) -> None:
    code = access.linking.code("ana", BY)
    assert "ana" == access.linking.claim(code.lower(), "telegram", "1")
    assert access.linking.claim(code, "telegram", "2") is None
    assert {"telegram": "1"} == access.linking.accounts()["ana"]


def test_a_code_is_good_for_ten_minutes_and_only_the_newest(access: Access) -> None:
    old, new = access.linking.code("ana", BY), access.linking.code("ana", BY)
    assert access.linking.claim(old, "telegram", "1") is None
    clock = access._clock  # noqa: SLF001 - time is the test's
    assert isinstance(clock, SetClock)
    clock.set(NOW + timedelta(minutes=10, seconds=1))
    assert access.linking.claim(new, "telegram", "1") is None


def test_a_code_opens_no_invitation_and_an_invitation_links_nobody(access: Access) -> None:
    code, invitation = access.linking.code("ana", BY), access.invite("bo", None, BY)
    for secret in (code, f"link:{code}"):
        with pytest.raises(InvitationError):
            access.invitation(secret)
    assert access.linking.claim(invitation, "telegram", "1") is None


def test_guessing_stops_after_a_few_in_a_minute(access: Access) -> None:
    for _ in range(WRONG_A_MINUTE):
        assert access.linking.claim("AAAAAAAA", "telegram", "1") is None
    code = access.linking.code("ana", BY)
    assert access.linking.claim(code, "telegram", "1") is None
    clock = access._clock  # noqa: SLF001 - time is the test's
    assert isinstance(clock, SetClock)
    clock.set(NOW + timedelta(seconds=90))
    assert "ana" == access.linking.claim(code, "telegram", "1")


def test_an_account_is_one_persons(access: Access) -> None:
    access.linking.link("ana", "slack", "U1", BY)
    access.linking.link("bo", "slack", "U1", BY)
    assert {"ana": {}, "bo": {"slack": "U1"}} == access.linking.accounts()
    assert any("until now of ana" in row["subject"] for row in access.audited())


@pytest.mark.parametrize("account", ["", "U 1", "x" * 65, "U1' OR 1"])
def test_what_is_no_account_is_refused(access: Access, account: str) -> None:
    with pytest.raises(AccountError):
        access.linking.link("ana", "slack", account, BY)
    with pytest.raises(NobodyError):
        access.linking.link("nobody", "slack", "U1", BY)


def test_from_the_terminal(access: Access, tmp_path: Path) -> None:
    folder = ["--data-dir", str(tmp_path)]
    run = CliRunner()
    linked = run.invoke(user, ["link", "ana", "--telegram", "77", *folder])
    assert (0, "77 of telegram is ana's\n") == (linked.exit_code, linked.output)
    code = run.invoke(user, ["link", "ana", *folder]).output.strip()
    assert 8 == len(code)
    assert "telegram 77" in run.invoke(user, ["list", *folder]).output
    run.invoke(user, ["unlink", "ana", "telegram", *folder])
    assert {} == access.linking.accounts()["ana"]


def test_a_caller_without_a_role_is_a_program() -> None:
    assert not Caller("ana", frozenset({"read"}), "api").role
