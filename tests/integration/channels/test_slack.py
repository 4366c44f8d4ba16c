import hmac
from urllib.parse import parse_qs

import httpx2
import msgspec
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from support.channels import SECRETS, Channels, listener

ACK = {
    "type": "actions",
    "elements": [
        {
            "type": "button",
            "action_id": "ack",
            "value": "ack:42:nonce",
            "text": {"type": "plain_text", "text": "Acknowledge"},
        }
    ],
}


def client(channels: Channels, token: str = SECRETS["slack"]) -> WebClient:
    return WebClient(token=token, base_url=f"{channels.url('slack')}/api/", retry_handlers=[])


def refusal(error: SlackApiError) -> str:
    return str(error.response["error"])


def test_a_message_a_reply_and_an_update_are_received_in_order(channels: Channels) -> None:
    slack = client(channels)
    first = slack.chat_postMessage(channel="C0ORDER", text="● critical: api is down")
    reply = slack.chat_postMessage(channel="C0ORDER", text="more", thread_ts=first["ts"])
    slack.chat_update(channel="C0ORDER", ts=first["ts"], text="✓ resolved: api is down")
    assert float(first["ts"]) < float(reply["ts"])
    assert [
        ("chat.postMessage", "critical", "● critical: api is down"),
        ("chat.postMessage", None, "more"),
        ("chat.update", "resolved", "✓ resolved: api is down"),
    ] == [(r["action"], r["severity"], r["summary"]) for r in channels.received("slack")]
    assert first["ts"] == channels.received("slack")[1]["payload"]["thread_ts"]
    assert [] == channels.violations("slack")


def test_a_token_is_checked_and_never_recorded(channels: Channels) -> None:
    assert client(channels).auth_test()["ok"]
    with pytest.raises(SlackApiError) as refused:
        client(channels, "xoxb-wrong").chat_postMessage(channel="C0AUTH", text="hello")
    assert "invalid_auth" == refusal(refused.value)
    form = {"token": SECRETS["slack"], "channel": "C0AUTH", "text": "by form"}
    answer = httpx2.post(f"{channels.url('slack')}/api/chat.postMessage", data=form)
    assert answer.json()["ok"]
    everything = httpx2.get(f"{channels.url('inbox')}/_received").text
    assert "by form" in everything
    assert SECRETS["slack"] not in everything
    answer = httpx2.post(f"{channels.url('slack')}/api/chat.postMessage", json={})
    assert "not_authed" == answer.json()["error"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "nowhere", "text": "x"}, "channel_not_found"),
        ({"channel": "C0BAD"}, "no_text"),
        ({"channel": "C0BAD", "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": "C0BAD", "text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"channel": "C0BAD", "text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*text.* argument:UserWarning")
def test_what_slack_refuses_is_refused(
    channels: Channels, arguments: dict[str, object], error: str
) -> None:
    with pytest.raises(SlackApiError) as refused:
        client(channels).api_call("chat.postMessage", json=arguments)
    assert error == refusal(refused.value)
    assert [error] == [violation["rule"] for violation in channels.violations("slack")]
    assert [] == channels.received("slack")


def test_an_update_of_an_unknown_message_is_refused(channels: Channels) -> None:
    with pytest.raises(SlackApiError) as refused:
        client(channels).chat_update(channel="C0UPDATE", ts="1.000001", text="x")
    assert "message_not_found" == refusal(refused.value)


def test_more_than_a_message_a_second_gives_429_with_the_seconds_to_wait(
    channels: Channels,
) -> None:
    slack = client(channels)

    def flood() -> None:
        for number in range(20):
            slack.chat_postMessage(channel="C0FAST", text=str(number))

    with pytest.raises(SlackApiError) as refused:
        flood()
    assert 429 == refused.value.response.status_code
    assert "1" == refused.value.response.headers["Retry-After"]
    assert "ratelimited" == refusal(refused.value)
    assert 5 <= len(channels.received("slack")) < 20
    assert [("limit", "1 message a second per channel", "C0FAST")] == [
        (v["kind"], v["rule"], v["destination"]) for v in channels.violations("slack")
    ]


def test_an_incoming_webhook_answers_in_words(channels: Channels) -> None:
    address = f"{channels.url('slack')}/services/T0/B0/abcdef"
    answer = WebhookClient(address).send(text="▲ warning: queue grows")
    assert (200, "ok") == (answer.status_code, answer.body)
    empty = httpx2.post(address, json={})
    assert (400, "no_text") == (empty.status_code, empty.text)
    wrong = httpx2.post(f"{channels.url('slack')}/services/T0/B0/other", json={"text": "x"})
    assert (403, "invalid_token") == (wrong.status_code, wrong.text)
    assert ["▲ warning: queue grows"] == [r["summary"] for r in channels.received("slack")]


def test_a_pressed_button_arrives_signed_as_slack_signs(channels: Channels) -> None:
    posted = client(channels).chat_postMessage(channel="C0PRESS", text="page", blocks=[ACK])
    with listener() as heard:
        press = {"action": "ack", "channel": "C0PRESS", "ts": posted["ts"], "url": heard.url}
        told = httpx2.post(f"{channels.url('slack')}/_press", json=press)
    assert 200 == told.json()["status"]
    headers, body = heard.requests[0]
    signed = b"v0:" + headers["x-slack-request-timestamp"].encode() + b":" + body
    expected = hmac.new(SECRETS["slack-sign"].encode(), signed, "sha256").hexdigest()
    assert f"v0={expected}" == headers["x-slack-signature"]
    payload = msgspec.json.decode(parse_qs(body.decode())["payload"][0])
    assert "ack:42:nonce" == payload["actions"][0]["value"]
    assert posted["ts"] == payload["container"]["message_ts"]
