"""The buttons under a message: what can be done about the incident as it stands.

A button names its incident so that one of another installation, or of a store that was thrown
away, is told apart. Slack signs what is pressed; a Telegram client may send any data it likes,
so a button there carries what only this service can have made.
"""

from typing import Any, Final

from abops.alerts.ingest.callbacks import Wish, nonce
from abops.alerts.model import IncidentSummary

_LABELS: Final[dict[Wish, str]] = {
    "ack": "Acknowledge",
    "unack": "Give back",
    "resolve": "Resolve",
}
_OFFERED: Final[dict[str, tuple[Wish, ...]]] = {
    "open": ("ack", "resolve"),
    "acked": ("unack", "resolve"),
    "resolved": (),
}


def identity_of(instance: int, number: int) -> str:
    """Name an incident across all installations."""
    return f"abops-{instance:08x}-INC-{number}"


def number_of(instance: int, identity: str) -> int | None:
    """Return the number of an incident of this installation. None: it is another's."""
    number = identity.removeprefix(identity_of(instance, 0)[:-1])
    known = number.isascii() and number.isdigit() and len(number) <= 15  # noqa: PLR2004 - SQLite's
    return int(number) if known else None


def slack_buttons(incident: IncidentSummary, identity: str) -> list[dict[str, Any]]:
    """Return the block with the buttons; nothing when there is nothing to do."""
    elements = [
        {
            "type": "button",
            "action_id": wish,
            "value": identity,
            "text": {"type": "plain_text", "text": _LABELS[wish]},
        }
        | ({"style": "primary"} if wish == "ack" else {})
        for wish in _OFFERED[incident.state]
    ]
    return [{"type": "actions", "block_id": "respond", "elements": elements}] if elements else []


def telegram_keyboard(incident: IncidentSummary, identity: str, token: str) -> dict[str, Any]:
    """Return the keyboard under the message; an empty one takes the buttons away."""
    row = [
        {"text": _LABELS[wish], "callback_data": telegram_data(wish, incident.number, signed)}
        for wish in _OFFERED[incident.state]
        for signed in (nonce(token, identity, wish),)
    ]
    return {"inline_keyboard": [row] if row else []}


def telegram_data(wish: Wish, number: int, signed: str) -> str:
    """Return what Telegram sends back when the button is pressed: 64 bytes at most."""
    return f"{wish}:{number}:{signed}"
