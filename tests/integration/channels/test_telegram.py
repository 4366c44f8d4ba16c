import asyncio
from typing import Any

import httpx2
import pytest

from support.channels import SECRETS, Channels

ACK = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack:42:nonce"}]]}
UNPARSED = "Bad Request: can't parse entities"


def call(channels: Channels, method: str, **arguments: object) -> httpx2.Response:
    url = f"{channels.url('telegram')}/bot{SECRETS['telegram']}/{method}"
    return httpx2.post(url, json=arguments)


def refused(answer: httpx2.Response) -> tuple[int, str]:
    body = answer.json()
    assert body["ok"] is False
    assert answer.status_code == body["error_code"]
    return body["error_code"], body["description"]


def test_a_message_and_its_edit_are_received(channels: Channels) -> None:
    assert "abops_bot" == call(channels, "getMe").json()["result"]["username"]
    text = "<b>● critical</b> ssh: 40 failed logins"
    sent = call(channels, "sendMessage", chat_id=101, text=text, parse_mode="HTML").json()["result"]
    assert ("● critical ssh: 40 failed logins", 101) == (sent["text"], sent["chat"]["id"])
    edit = {"chat_id": 101, "message_id": sent["message_id"], "text": "✓ resolved"}
    assert call(channels, "editMessageText", **edit).json()["ok"]
    assert (400, True) == (
        (again := call(channels, "editMessageText", **edit)).status_code,
        again.json()["description"].startswith("Bad Request: message is not modified"),
    )
    assert [("sendMessage", "critical"), ("editMessageText", "resolved")] == [
        (record["action"], record["severity"]) for record in channels.received("telegram")
    ]
    assert [] == channels.violations("telegram")


@pytest.mark.parametrize(
    ("arguments", "description"),
    [
        ({"text": "x"}, "Bad Request: chat_id is empty"),
        ({"chat_id": "nobody", "text": "x"}, "Bad Request: chat not found"),
        ({"chat_id": 102, "text": " "}, "Bad Request: message text is empty"),
        ({"chat_id": 102, "text": "x" * 4_097}, "Bad Request: message is too long"),
        (
            {"chat_id": 102, "text": "<b>x", "parse_mode": "HTML"},
            f'{UNPARSED}: Can\'t find end tag corresponding to start tag "b"',
        ),
        (
            {
                "chat_id": 102,
                "text": "x",
                "reply_markup": {
                    "inline_keyboard": [[{"text": "x", "callback_data": "x" * 65}]],
                },
            },
            "Bad Request: BUTTON_DATA_INVALID",
        ),
    ],
)
def test_what_telegram_refuses_is_refused(
    channels: Channels, arguments: dict[str, Any], description: str
) -> None:
    assert (400, description) == refused(call(channels, "sendMessage", **arguments))
    assert [description] == [v["rule"] for v in channels.violations("telegram")]


def test_markup_does_not_count_towards_the_length(channels: Channels) -> None:
    text = "<b>" + "&lt;" * 4_096 + "</b>"
    assert call(channels, "sendMessage", chat_id=103, text=text, parse_mode="HTML").json()["ok"]


def test_a_wrong_token_and_an_unknown_method_are_told_apart(channels: Channels) -> None:
    wrong = httpx2.get(f"{channels.url('telegram')}/bot1:wrong/getMe")
    assert (401, "Unauthorized") == refused(wrong)
    assert (404, "Not Found") == refused(call(channels, "sendTelegram"))


def test_a_chat_takes_a_short_burst_and_then_names_the_wait(channels: Channels) -> None:
    for _ in range(10):
        answer = call(channels, "sendMessage", chat_id=104, text="again")
        if answer.status_code == 429:
            break
    assert (429, "Too Many Requests: retry after 1") == refused(answer)
    assert {"retry_after": 1} == answer.json()["parameters"]
    assert ["1 message a second per chat"] == [v["rule"] for v in channels.violations("telegram")]


def test_the_newer_of_two_pollers_ends_the_older(channels: Channels) -> None:
    async def both() -> tuple[httpx2.Response, httpx2.Response]:
        url = f"{channels.url('telegram')}/bot{SECRETS['telegram']}/getUpdates"
        async with httpx2.AsyncClient(timeout=10) as client:
            older = asyncio.create_task(client.post(url, json={"timeout": 50}))
            newer: httpx2.Response | None = None
            while not older.done():
                newer = await client.post(url, json={"timeout": 0})
            assert newer is not None
            return await older, newer

    older, newer = asyncio.run(both())
    code, description = refused(older)
    assert 409 == code
    assert description.startswith("Conflict: terminated by other getUpdates request")
    assert {"ok": True, "result": []} == newer.json()


def test_a_pressed_button_is_fetched_and_answered_once(channels: Channels) -> None:
    sent = call(channels, "sendMessage", chat_id=-105, text="page", reply_markup=ACK).json()
    press = {"action": "ack", "chat_id": -105, "message_id": sent["result"]["message_id"]}
    update = httpx2.post(f"{channels.url('telegram')}/_press", json=press).json()
    fetched = call(channels, "getUpdates", timeout=10, offset=update["update_id"]).json()["result"]
    assert ["ack:42:nonce"] == [u["callback_query"]["data"] for u in fetched]
    query = fetched[0]["callback_query"]["id"]
    assert call(channels, "answerCallbackQuery", callback_query_id=query).json()["ok"]
    again = call(channels, "answerCallbackQuery", callback_query_id=query)
    assert 400 == again.status_code
    after = call(channels, "getUpdates", offset=update["update_id"] + 1).json()
    assert [] == after["result"]
