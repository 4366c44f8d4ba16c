"""Reading what Slack, PagerDuty and Telegram say when a person presses a button.

Signatures are checked over the raw bytes, in constant time, before anything is decoded: what is
not signed is not looked at. What each press means is the same for all: somebody wants an
incident acknowledged, given back or resolved.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct, field

from abops.kernel.errors import OpsError

Wish = Literal["ack", "unack", "resolve"]
Via = Literal["slack", "pagerduty", "telegram"]

SLACK_WINDOW_S: Final = 300
"""Seconds a Slack signature holds: what Slack itself advises."""
NONCE_CHARS: Final = 16
_WISHES: Final[dict[str, Wish]] = {"ack": "ack", "unack": "unack", "resolve": "resolve"}
_PAGERDUTY: Final[dict[str, Wish]] = {
    "incident.acknowledged": "ack",
    "incident.unacknowledged": "unack",
    "incident.resolved": "resolve",
}
_DIGITS: Final = 15


class ForgedCallbackError(OpsError):
    """The callback is not signed by who it says it is from."""

    hint = "Compare the signing secret in the secrets folder with the provider's."


class ReplayedCallbackError(ForgedCallbackError):
    """The callback is signed, but was seen before or is too old."""

    hint = "Press the button again. If this comes back, compare the clocks of both machines."


class UnreadableCallbackError(OpsError):
    """The callback is signed, but cannot be read."""

    hint = "Its form is in docs/reference/alert-callbacks.md."


class Press(Struct, frozen=True):
    """What a person wants done to an incident."""

    via: Via
    user: str
    """How the provider calls the person: what accounts are linked by."""
    name: str
    """How the provider shows the person. Never used to decide anything."""
    wish: Wish
    subject: str
    """Which incident, in the words that were sent with its message."""
    id: str
    """Identifies this press: a second delivery carries the same one. Empty: nothing does."""
    place: str = ""
    """Where to answer: the Slack channel."""
    at: datetime | None = None


class Spoken(Struct, frozen=True):
    """A code that a person said in a chat, to show whose account it is."""

    via: Via
    user: str
    code: str
    place: str
    """Where to answer."""


def verify_slack(secret: bytes, body: bytes, *, timestamp: str, signature: str, now: float) -> None:
    """Check Slack's signature and its age; raises ForgedCallbackError, ReplayedCallbackError."""
    base = b"v0:" + timestamp.encode(errors="replace") + b":" + body
    expected = "v0=" + hmac.new(secret, base, "sha256").hexdigest()
    if not (_same(expected, signature) and secret):
        raise ForgedCallbackError("the Slack signature does not fit the body")
    sent = int(timestamp) if timestamp.isascii() and timestamp.isdigit() else 0
    if abs(now - sent) > SLACK_WINDOW_S:
        raise ReplayedCallbackError("the Slack signature is older than five minutes")


def verify_pagerduty(secret: bytes, body: bytes, *, signatures: str) -> None:
    """Check that one of PagerDuty's signatures fits; while a secret is rotated there are two."""
    expected = "v1=" + hmac.new(secret, body, "sha256").hexdigest()
    fits = [_same(expected, one.strip()) for one in signatures.split(",")]
    if not (any(fits) and secret):
        raise ForgedCallbackError("no PagerDuty signature fits the body")


def verify_telegram(secret: bytes, *, token: str) -> None:
    """Check the token that Telegram was given when the webhook was set."""
    if not (_same(secret.decode(errors="replace"), token) and secret):
        raise ForgedCallbackError("the Telegram secret token is wrong")


def nonce(secret: str, subject: str, wish: Wish) -> str:
    """Return what only we can have put on a Telegram button: clients may send any data."""
    digest = hmac.new(secret.encode(), f"{wish}:{subject}".encode(), "sha256").hexdigest()
    return digest[:NONCE_CHARS]


def same_nonce(expected: str, given: str) -> bool:
    """Compare in constant time."""
    return _same(expected, given)


def slack_presses(body: bytes) -> tuple[Press, ...]:
    """Read the form of an interaction; anything but a pressed button of ours is empty."""
    try:
        form = parse_qs(body.decode(), strict_parsing=True)
        said = _SLACK.decode(form["payload"][0])
    except (ValueError, KeyError, msgspec.DecodeError) as error:
        raise UnreadableCallbackError("the field `payload` is not an interaction") from error
    if said.type != "block_actions":
        return ()
    return tuple(
        Press(
            via="slack",
            user=said.user.id,
            name=said.user.username or said.user.id,
            wish=_WISHES[action.action_id],
            subject=action.value,
            id=f"{said.trigger_id}{action.action_ts}",
            place=said.channel.id,
        )
        for action in said.actions
        if action.action_id in _WISHES
    )


def pagerduty_press(body: bytes) -> Press | None:
    """Read a version 3 webhook; None when no person did anything that concerns us.

    What the integration itself did comes back as a webhook too. Acting on it would undo an
    acknowledgement that was just taken back, so only what a user did counts.
    """
    try:
        event = _PAGERDUTY_BODY.decode(body).event
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableCallbackError("the body is not a PagerDuty webhook, version 3") from error
    wish = _PAGERDUTY.get(event.event_type)
    agent = event.agent
    if wish is None or agent is None or not agent.type.startswith("user"):
        return None
    return Press(
        via="pagerduty",
        user=agent.id,
        name=agent.summary or agent.id,
        wish=wish,
        subject=event.data.incident_key or "",
        id=event.id,
        at=event.occurred_at,
    )


def telegram_press(update: bytes) -> Press | None:
    """Read one update; None when it is not a button of ours."""
    try:
        query = _TELEGRAM.decode(update).callback_query
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableCallbackError("the body is not an update of Telegram") from error
    if query is None:
        return None
    word, _, subject = query.data.partition(":")
    wish = _WISHES.get(word)
    if wish is None:
        return None
    name = query.sender.username or query.sender.first_name or str(query.sender.id)
    return Press("telegram", str(query.sender.id), name, wish, subject, query.id)


def telegram_spoken(update: bytes) -> Spoken | None:
    """Read a code that somebody said to the bot: `/link CODE`, or by a link that starts it."""
    try:
        message = _TELEGRAM.decode(update).message
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableCallbackError("the body is not an update of Telegram") from error
    if message is None or message.sender is None:
        return None
    command, _, rest = message.text.strip().partition(" ")
    if command.partition("@")[0] not in ("/link", "/start") or not rest.strip():
        return None
    return Spoken("telegram", str(message.sender.id), rest.strip(), str(message.chat.id))


def slack_spoken(body: bytes) -> Spoken | None:
    """Read a code that somebody said by a slash command: `/abops link CODE`."""
    form = parse_qs(body.decode(errors="replace"))
    words = form.get("text", [""])[0].split()
    user = form.get("user_id", [""])[0]
    if "command" not in form or not user or len(words) != 2 or words[0] != "link":  # noqa: PLR2004 - the word and the code
        return None
    return Spoken("slack", user, words[1], form.get("channel_id", [""])[0])


def telegram_updates(answer: Sequence[Any]) -> list[tuple[int, bytes]]:
    """Return the updates of a getUpdates answer: number and content."""
    return [
        (number, msgspec.json.encode(update))
        for update in answer
        if isinstance(update, dict) and isinstance(number := update.get("update_id"), int)
    ]


def number_in(text: str) -> int | None:
    """Return the number of an incident. None: it is not one."""
    usable = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if usable else None


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))


class _SlackUser(Struct):
    id: str
    username: str = ""


class _SlackPlace(Struct):
    id: str = ""


class _SlackAction(Struct):
    action_id: str = ""
    value: str = ""
    action_ts: str = ""


class _SlackBody(Struct):
    type: str
    user: _SlackUser
    actions: list[_SlackAction] = []
    channel: _SlackPlace = field(default_factory=_SlackPlace)
    trigger_id: str = ""


class _Agent(Struct):
    id: str = ""
    type: str = ""
    summary: str = ""


class _PagerDutyIncident(Struct):
    incident_key: str | None = None


class _PagerDutyEvent(Struct):
    id: str
    event_type: str
    occurred_at: datetime | None = None
    agent: _Agent | None = None
    data: _PagerDutyIncident = field(default_factory=_PagerDutyIncident)


class _PagerDutyBody(Struct):
    event: _PagerDutyEvent


class _Sender(Struct):
    id: int
    username: str = ""
    first_name: str = ""


class _Query(Struct):
    id: str
    sender: _Sender = field(name="from")
    data: str = ""


class _Chat(Struct):
    id: int


class _Message(Struct):
    chat: _Chat = field(default_factory=lambda: _Chat(0))
    sender: _Sender | None = field(name="from", default=None)
    text: str = ""


class _Update(Struct):
    callback_query: _Query | None = None
    message: _Message | None = None


_SLACK: Final = msgspec.json.Decoder(_SlackBody)
_PAGERDUTY_BODY: Final = msgspec.json.Decoder(_PagerDutyBody)
_TELEGRAM: Final = msgspec.json.Decoder(_Update)
