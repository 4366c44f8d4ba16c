"""What is signed is read, what is not is refused before it is read."""

import hmac
import json
from urllib.parse import urlencode

import pytest

from abops.alerts.ingest.callbacks import (
    ForgedCallbackError,
    Press,
    ReplayedCallbackError,
    UnreadableCallbackError,
    nonce,
    pagerduty_press,
    slack_presses,
    telegram_press,
    verify_pagerduty,
    verify_slack,
    verify_telegram,
)

SECRET = b"8f742231b10e8888abcd99yyyzzz85a5"
DOCUMENTED_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect"
    b"&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
DOCUMENTED_SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
AT = "1531420618"


def signed(timestamp: str, body: bytes) -> str:
    return "v0=" + hmac.new(SECRET, b"v0:" + timestamp.encode() + b":" + body, "sha256").hexdigest()


def test_the_example_in_slacks_documentation_is_accepted() -> None:
    verify_slack(
        SECRET, DOCUMENTED_BODY, timestamp=AT, signature=DOCUMENTED_SIGNATURE, now=float(AT) + 299
    )


@pytest.mark.parametrize("late_s", [-301, 301])
def test_a_slack_signature_of_another_time_is_a_replay(late_s: int) -> None:
    with pytest.raises(ReplayedCallbackError):
        verify_slack(
            SECRET,
            DOCUMENTED_BODY,
            timestamp=AT,
            signature=DOCUMENTED_SIGNATURE,
            now=float(AT) + late_s,
        )


@pytest.mark.parametrize(
    ("body", "timestamp", "signature"),
    [
        (DOCUMENTED_BODY + b" ", AT, DOCUMENTED_SIGNATURE),
        (DOCUMENTED_BODY, "1531420619", DOCUMENTED_SIGNATURE),
        (DOCUMENTED_BODY, AT, ""),
        (DOCUMENTED_BODY, AT, "v0=ü"),
        (DOCUMENTED_BODY, "", DOCUMENTED_SIGNATURE),
    ],
)
def test_a_slack_body_with_another_signature_is_forged(
    body: bytes, timestamp: str, signature: str
) -> None:
    with pytest.raises(ForgedCallbackError):
        verify_slack(SECRET, body, timestamp=timestamp, signature=signature, now=float(AT))


def test_without_a_secret_nothing_is_genuine() -> None:
    empty = "v0=" + hmac.new(b"", b"v0:1531420618:", "sha256").hexdigest()
    with pytest.raises(ForgedCallbackError):
        verify_slack(b"", b"", timestamp=AT, signature=empty, now=float(AT))
    with pytest.raises(ForgedCallbackError):
        verify_pagerduty(b"", b"", signatures="v1=" + hmac.new(b"", b"", "sha256").hexdigest())
    with pytest.raises(ForgedCallbackError):
        verify_telegram(b"", token="")


def test_one_of_pagerdutys_signatures_is_enough() -> None:
    fits = "v1=" + hmac.new(SECRET, b"{}", "sha256").hexdigest()
    verify_pagerduty(SECRET, b"{}", signatures=f"v1={'0' * 64}, {fits}")
    with pytest.raises(ForgedCallbackError):
        verify_pagerduty(SECRET, b"{ }", signatures=f"v1={'0' * 64},{fits}")


def test_telegrams_token_is_compared_whole() -> None:
    verify_telegram(SECRET, token=SECRET.decode())
    with pytest.raises(ForgedCallbackError):
        verify_telegram(SECRET, token=SECRET.decode()[:-1])


def test_a_pressed_button_in_slack_is_read() -> None:
    payload = {
        "type": "block_actions",
        "trigger_id": "t1",
        "user": {"id": "U0ANA", "username": "ana"},
        "channel": {"id": "C0OPS"},
        "actions": [
            {"action_id": "ack", "value": "abops-1-INC-5", "action_ts": "1.2"},
            {"action_id": "somebody elses", "value": "x"},
        ],
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    expected = Press("slack", "U0ANA", "ana", "ack", "abops-1-INC-5", "t11.2", "C0OPS")
    assert (expected,) == slack_presses(body)


@pytest.mark.parametrize("body", [b"", b"payload=", b"payload=%7B%7D", b"\xff=1", b"other=1"])
def test_what_is_no_interaction_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UnreadableCallbackError):
        slack_presses(body)


def a_webhook(event_type: str, agent: dict[str, str] | None) -> bytes:
    event = {
        "id": "E1",
        "event_type": event_type,
        "agent": agent,
        "data": {"incident_key": "abops-1-INC-5"},
    }
    return json.dumps({"event": event}).encode()


@pytest.mark.parametrize(
    ("event_type", "wish"),
    [
        ("incident.acknowledged", "ack"),
        ("incident.unacknowledged", "unack"),
        ("incident.resolved", "resolve"),
    ],
)
def test_what_a_person_does_in_pagerduty_is_read(event_type: str, wish: str) -> None:
    press = pagerduty_press(a_webhook(event_type, {"id": "P0ANA", "type": "user_reference"}))
    assert press is not None
    assert ("P0ANA", wish, "abops-1-INC-5") == (press.user, press.wish, press.subject)


@pytest.mark.parametrize(
    ("event_type", "agent"),
    [
        ("incident.resolved", {"id": "I1", "type": "inbound_integration_reference"}),
        ("incident.resolved", None),
        ("incident.annotated", {"id": "P0ANA", "type": "user_reference"}),
    ],
)
def test_what_pagerduty_echoes_is_not_acted_upon(
    event_type: str, agent: dict[str, str] | None
) -> None:
    assert pagerduty_press(a_webhook(event_type, agent)) is None


def test_a_button_in_telegram_is_read_and_fits_in_64_bytes() -> None:
    data = f"unack:{10**15 - 1}:{nonce('secret', 'abops-1-INC-5', 'unack')}"
    update = {"callback_query": {"id": "9", "from": {"id": 100, "username": "ana"}, "data": data}}
    press = telegram_press(json.dumps(update).encode())
    assert len(data.encode()) <= 64
    assert press is not None
    assert ("100", "ana", "unack") == (press.user, press.name, press.wish)
    assert telegram_press(b'{"message": {}}') is None


def test_a_nonce_holds_for_one_incident_and_one_wish() -> None:
    every = {nonce(s, n, w) for s in "ab" for n in ("1", "2") for w in ("ack", "resolve")}
    assert 8 == len(every)
