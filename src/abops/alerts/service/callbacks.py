"""Doing what a person asked for by a button in Slack, PagerDuty or Telegram.

The press is genuine by the time it arrives here. What is left to ask: was it seen before, whose
account is it, which incident is meant. Every answer is a sentence for the person; nothing raises
for what a person did.
"""

import asyncio
from collections import OrderedDict
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

import structlog
from msgspec import Struct

from abops.alerts.ingest.callbacks import Press, Spoken, Via, nonce, number_in, same_nonce
from abops.alerts.model import Actor, ChannelType, IncidentSummary, ServiceConfig
from abops.alerts.service.buttons import identity_of, number_of
from abops.alerts.service.channels import SecretMissingError, read_secret
from abops.alerts.service.linking import Linking
from abops.alerts.service.memory import IncidentResolvedError, IncidentUnknownError
from abops.alerts.store.people import Linked
from abops.clients.notify.receipt import NotAcceptedError
from abops.clients.notify.slack import Slack
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError

STALE: Final = timedelta(hours=1)
"""Age from which a press that is delivered late says nothing about how things are now."""
REMEMBERED: Final = 10_000
_AUDITS_A_MINUTE: Final = 60
"""Rows that forged requests may cost: whoever sends them must not fill the disk."""
_UNLINKED: Final = (
    "I do not know whose account this is, so I did nothing. Ask for a code in the console,"
    " or an administrator to link it."
)
_log = structlog.get_logger()


class Responder(Protocol):
    """What the callbacks need of the alert service."""

    clock: Clock
    config: ServiceConfig

    @property
    def instance(self) -> int:
        """What sets this store's incidents apart."""
        ...

    async def ack(self, number: int, *, by: str, via: str) -> IncidentSummary:
        """Record who takes care."""
        ...

    async def unack(self, number: int, *, by: str, via: str) -> IncidentSummary:
        """Record that nobody does any more."""
        ...

    async def resolve(self, number: int, *, by: str, via: str) -> IncidentSummary:
        """Record that it is over."""
        ...

    async def linked(self, via: Via, account: str) -> Linked | None:
        """Say whose account it is."""
        ...

    async def audit(self, actor: Actor, action: str, subject: str) -> None:
        """Note who did what."""
        ...


class Answer(Struct, frozen=True):
    """What the person is told."""

    text: str
    done: bool
    again: bool = False
    """Whether the store could not be written: delivered once more, it may work."""


class Callbacks:
    """Takes genuine presses, each once."""

    def __init__(
        self, service: Responder, *, allow_unlinked: bool, linking: Linking | None = None
    ) -> None:
        self._service = service
        self._allow_unlinked = allow_unlinked
        self._linking = linking
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._audited: list[float] = []

    def first_time(self, mark: str) -> bool:
        """Say whether this is new, and remember it."""
        if mark in self._seen:
            return False
        self._seen[mark] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    async def refuse(self, via: Via, why: str) -> None:
        """Note a callback that is forged or replayed; a flood of them is noted in part."""
        _log.warning("a callback was refused", via=via, reason=why)
        now = self._service.clock.monotonic()
        self._audited = [at for at in self._audited if at > now - 60.0]
        if len(self._audited) < _AUDITS_A_MINUTE:
            self._audited.append(now)
            await self._service.audit(Actor("unknown", via), "callback refused", why)

    async def take(self, press: Press) -> Answer:
        """Do what was asked for and say what came of it."""
        number = self._number(press)
        if number is None:
            return Answer("This button is not of this installation.", done=False)
        if press.id and not self.first_time(f"{press.via}/{press.id}"):
            await self.refuse(press.via, f"press {press.id} was delivered before")
            return Answer("This was done before.", done=False)
        if press.at is not None and self._service.clock.now() - press.at > STALE:
            await self.refuse(press.via, f"press {press.id} is of {press.at.isoformat()}")
            return Answer("This press arrived too late to mean anything.", done=False)
        name = await self._who(press)
        if name is None:
            who = Actor(press.user, press.via)
            await self._service.audit(who, f"{press.wish} refused", f"INC-{number}")
            return Answer(_UNLINKED, done=False)
        return await self._do(press, number, name)

    async def hear(self, spoken: Spoken) -> str:
        """Link the account that said a code to whom the code was given; return the answer."""
        if self._linking is None:
            return "Accounts cannot be linked here."
        try:
            name = await asyncio.to_thread(
                self._linking.claim, spoken.code, spoken.via, spoken.user
            )
        except OpsError as error:
            _log.warning("an account could not be linked", via=spoken.via, reason=str(error))
            return "That did not work just now; say it again."
        if name is None:
            await self.refuse(spoken.via, f"a code that links nobody, from {spoken.user[:64]}")
            return "I do not know this code. It counts once, for ten minutes: ask for a new one."
        return f"This account is {name}'s from now on: what you press here counts as yours."

    def _number(self, press: Press) -> int | None:
        instance = self._service.instance
        if press.via != "telegram":
            return number_of(instance, press.subject)
        digits, _, signed = press.subject.partition(":")
        number = number_in(digits)
        if number is None:
            return None
        subject = identity_of(instance, number)
        tokens = telegram_tokens(self._service.config).values()
        fits = [same_nonce(nonce(token, subject, press.wish), signed) for token in tokens]
        return number if any(fits) else None

    async def _who(self, press: Press) -> str | None:
        person = await self._service.linked(press.via, press.user)
        if person is not None:
            return person.name if person.responds else None
        return press.name[:64] if self._allow_unlinked else None

    async def _do(self, press: Press, number: int, name: str) -> Answer:
        try:
            if press.wish == "ack":
                after = await self._service.ack(number, by=name, via=press.via)
                return Answer(f"{after.acked_by} takes care of INC-{number}.", done=True)
            if press.wish == "unack":
                await self._service.unack(number, by=name, via=press.via)
                return Answer(f"INC-{number} is open again.", done=True)
            await self._service.resolve(number, by=name, via=press.via)
            return Answer(f"INC-{number} is resolved.", done=True)
        except IncidentResolvedError:
            return Answer(f"INC-{number} is resolved already.", done=False)
        except IncidentUnknownError:
            return Answer(f"There is no INC-{number}.", done=False)
        except OpsError as error:
            _log.warning("a press could not be carried out", incident=number, reason=str(error))
            self._seen.pop(f"{press.via}/{press.id}", None)
            return Answer("That did not work just now; press it again.", done=False, again=True)


def telegram_tokens(config: ServiceConfig) -> dict[str, str]:
    """Return the token of every bot that tells a chat, by the name of its file."""
    return _secrets(config, "telegram")


async def whisper(config: ServiceConfig, press: Press, text: str) -> None:
    """Tell the person who pressed a button in Slack, and nobody else; it is only a courtesy."""
    for token in _secrets(config, "slack").values():
        slack = Slack(token, base_url=config.endpoints.slack_api_url)
        try:
            await slack.whisper(press.place, press.user, text)
        except NotAcceptedError as error:
            _log.warning("Slack did not take an answer", reason=str(error))
        else:
            return
        finally:
            slack.close()


def _secrets(config: ServiceConfig, kind: ChannelType) -> dict[str, str]:
    folder = Path(config.endpoints.secrets_dir)
    found: dict[str, str] = {}
    for channel in config.routing.channels.values():
        if channel.type == kind and channel.secret_file not in found:
            try:
                found[channel.secret_file] = read_secret(folder, channel.secret_file)
            except SecretMissingError as error:
                _log.warning("a secret is missing", reason=str(error))
    return found
