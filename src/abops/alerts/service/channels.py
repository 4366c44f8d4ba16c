"""One way to tell each kind of channel: a message is posted once and edited from then on."""

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from abops.alerts.model import Channel, DeliveryKind, Endpoints, IncidentDetail
from abops.alerts.service import wording
from abops.alerts.service.buttons import slack_buttons, telegram_keyboard
from abops.alerts.storm.digest import Say
from abops.clients.notify.email import Letter, Mailbox, Server
from abops.clients.notify.pagerduty import EventAction, PagerDuty
from abops.clients.notify.slack import Slack
from abops.clients.notify.telegram import Telegram
from abops.kernel.errors import OpsError

Turn = Callable[[str], Awaitable[None]]
"""Waits until the channel may be called: `post` or `edit`."""
_NOTICED = frozenset({"rise", "unack", "resolve", "escalate", "remind", "digest"})
"""Kinds that Telegram says in a message of their own: an edit rings nowhere."""


class SecretMissingError(OpsError):
    """A channel's secret is missing."""

    hint = "Put the token, key or password into its file in the secrets folder, mode 0600."


class Message(Struct, frozen=True):
    """What is to be told."""

    kind: DeliveryKind
    detail: IncidentDetail
    url: str
    identity: str
    """Names the incident across all installations."""
    reference: str
    """How the channel calls the first message. Empty: there is none."""
    digest: Say | None = None
    """What a digest counts."""
    ack_url: str = ""
    """Where whoever reads it may acknowledge. Empty: nowhere."""

    @property
    def reply(self) -> str:
        """What is said below the first message, as plain text."""
        if self.kind == "digest" and self.digest is not None:
            return wording.digest(self.detail, self.digest)
        return wording.reply(self.detail.summary, self.kind)


class Said(Struct, frozen=True):
    """Something of several incidents, in plain lines."""

    subject: str
    lines: tuple[str, ...]
    identity: str
    """Names it, so that a mailbox recognizes a repeat."""


class Sender(Protocol):
    """Tells one channel."""

    async def tell(self, message: Message, turn: Turn) -> str:
        """Send it and return how the channel calls it; raises NotAcceptedError."""
        ...

    async def say(self, said: Said, turn: Turn) -> None:
        """Send what belongs to no single incident; raises NotAcceptedError."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def needs_reference(channel: Channel, kind: DeliveryKind) -> bool:
    """Say whether this can only be told to who was told before."""
    return channel.type != "pagerduty" and kind in ("update", "ack", "unack", "resolve")


def sender_of(channel: Channel, endpoints: Endpoints) -> Sender:
    """Return the sender of a channel; raises SecretMissingError."""
    folder = Path(endpoints.secrets_dir)
    match channel.type:
        case "slack":
            token = read_secret(folder, channel.secret_file)
            return _ToSlack(Slack(token, base_url=endpoints.slack_api_url), channel.address)
        case "pagerduty":
            return _ToPagerDuty(channel, folder, endpoints.pagerduty_url)
        case "telegram":
            token = read_secret(folder, channel.secret_file)
            return _ToTelegram(Telegram(token, url=endpoints.telegram_url), channel.address, token)
        case "email":
            return _ToEmail(mailbox_of(channel, endpoints), channel.to)


def mailbox_of(channel: Channel, endpoints: Endpoints) -> Mailbox:
    """Return the mailbox of an e-mail channel; one without a password does not log in."""
    server = Server(endpoints.smtp_host, endpoints.smtp_port, endpoints.smtp_user)
    password = None
    if channel.secret_file:
        password = read_secret(Path(endpoints.secrets_dir), channel.secret_file)
    return Mailbox(server, sender=channel.sender, password=password)


def read_secret(folder: Path, name: str) -> str:
    """Return the content of a secret file; raises SecretMissingError."""
    path = folder / Path(name).name
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SecretMissingError(f"{path} cannot be read: {error.strerror}") from error
    if not secret:
        raise SecretMissingError(f"{path} is empty")
    return secret


def key_of(channel: Channel, folder: Path, told_by: str = "") -> tuple[str, str]:
    """Return the name of the file of PagerDuty's key, and the key; raises SecretMissingError.

    It is the channel's own, or the shared one while there is none. Whoever was told by one hears
    the rest by the same: PagerDuty keeps the incidents of each key apart.
    """
    files = dict.fromkeys(f for f in (told_by, channel.secret_file, channel.fallback_file) if f)
    for file in files:
        with contextlib.suppress(SecretMissingError):
            return file, read_secret(folder, file)
    return channel.secret_file, read_secret(folder, channel.secret_file)


def _still_so(message: Message) -> bool:
    """Say whether what happened still holds: an ack may be taken back before it is told."""
    state = message.detail.summary.state
    open_only = dict.fromkeys(("unack", "escalate", "remind"), "open")
    return state == ({"ack": "acked"} | open_only).get(message.kind, state)


class _ToSlack:
    """Edits the message; what must be noticed is said in its thread as well."""

    def __init__(self, slack: Slack, channel: str) -> None:
        self._slack = slack
        self._channel = channel

    async def tell(self, message: Message, turn: Turn) -> str:
        text = wording.headline(message.detail.summary)
        blocks = wording.slack_blocks(message.detail, message.url)
        blocks += slack_buttons(message.detail.summary, message.identity)
        if not message.reference:
            await turn("post")
            return await self._slack.post(self._channel, text, blocks=blocks)
        await turn("edit")
        await self._slack.edit(message.reference, text, blocks=blocks)
        if message.kind != "update" and _still_so(message):
            await turn("post")
            said = wording.slack_text(message.reply)
            thread = message.reference.partition("/")[2]
            await self._slack.post(self._channel, said, thread=thread)
        return message.reference

    async def say(self, said: Said, turn: Turn) -> None:
        await turn("post")
        text = wording.slack_text("\n".join((said.subject, *said.lines)))
        await self._slack.post(self._channel, text)

    async def close(self) -> None:
        self._slack.close()


class _ToPagerDuty:
    """Pages with the team's own key; by whichever an incident was told, it stays with that."""

    def __init__(self, channel: Channel, folder: Path, url: str) -> None:
        self._channel = channel
        self._folder = folder
        self._url = url
        self._key = ""
        self._pagerduty: PagerDuty | None = None

    async def tell(self, message: Message, turn: Turn) -> str:
        told_by = message.reference.partition("/")[2] if message.reference else ""
        if message.reference and not told_by:
            told_by = self._channel.secret_file
        file, key = key_of(self._channel, self._folder, told_by)
        await self._send(await self._by(key), message, turn)
        own = file == self._channel.secret_file
        return message.reference or (message.identity if own else f"{message.identity}/{file}")

    async def _by(self, key: str) -> PagerDuty:
        if self._pagerduty is None or key != self._key:
            await self.close()
            self._key, self._pagerduty = key, PagerDuty(key, url=self._url)
        return self._pagerduty

    async def _send(self, pagerduty: PagerDuty, message: Message, turn: Turn) -> None:
        action: EventAction = "trigger"
        if message.kind in ("unack", "escalate"):
            if not _still_so(message):
                return  # somebody has it again, or it is over: told next
            # An event cannot take an acknowledgement back, nor ring twice: a new one rings again.
            await turn("post")
            await pagerduty.send("resolve", message.identity)
        await turn("post")
        if message.kind in ("ack", "resolve"):
            action = "acknowledge" if message.kind == "ack" else "resolve"
            await pagerduty.send(action, message.identity)
            return
        await pagerduty.send(
            action,
            message.identity,
            payload=wording.pagerduty_payload(message.detail),
            links=wording.pagerduty_links(message.detail, message.url),
        )

    async def say(self, said: Said, turn: Turn) -> None:
        """Wake nobody for it."""

    async def close(self) -> None:
        if self._pagerduty is not None:
            await self._pagerduty.close()
            self._pagerduty = None


class _ToTelegram:
    def __init__(self, telegram: Telegram, chat: str, token: str) -> None:
        self._telegram = telegram
        self._chat = chat
        self._token = token

    async def tell(self, message: Message, turn: Turn) -> str:
        text = wording.telegram_html(message.detail, message.url)
        keyboard = telegram_keyboard(message.detail.summary, message.identity, self._token)
        await turn("post")
        if not message.reference:
            return await self._telegram.send(self._chat, text, keyboard=keyboard)
        await self._telegram.edit(self._chat, message.reference, text, keyboard=keyboard)
        if message.kind in _NOTICED and _still_so(message):
            await turn("post")
            said = wording.telegram_text(message.reply)
            await self._telegram.send(self._chat, said, reply_to=message.reference)
        return message.reference

    async def say(self, said: Said, turn: Turn) -> None:
        await turn("post")
        text = wording.telegram_text("\n".join((said.subject, *said.lines)))
        await self._telegram.send(self._chat, text)

    async def close(self) -> None:
        await self._telegram.close()


class _ToEmail:
    def __init__(self, mailbox: Mailbox, to: tuple[str, ...]) -> None:
        self._mailbox = mailbox
        self._to = to

    async def tell(self, message: Message, turn: Turn) -> str:
        await turn("post")
        incident = message.detail.summary
        letter = Letter(
            to=self._to,
            subject=wording.headline(incident),
            text=f"{message.reply}\n" * (message.kind == "digest")
            + wording.letter_text(message.detail, message.url, message.ack_url),
            message_id=f"<{message.identity}.{incident.revision}@abops>",
            references=message.reference,
        )
        sent = await self._mailbox.send(letter)
        return message.reference or sent

    async def say(self, said: Said, turn: Turn) -> None:
        await turn("post")
        text = "\n".join(said.lines) + "\n"
        await self._mailbox.send(Letter(self._to, said.subject, text, f"<{said.identity}@abops>"))

    async def close(self) -> None:
        """Each letter has a connection of its own."""
