"""E-mail by SMTP. A fixed Message-ID lets the receiving side recognise a repeat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

import aiosmtplib
from msgspec import Struct

from abops.clients.notify.receipt import TIMEOUT_S, NotAcceptedError

_PERMANENT = 500


class Letter(Struct, frozen=True):
    """What is sent."""

    to: tuple[str, ...]
    subject: str
    text: str
    message_id: str
    html: str | None = None
    references: str = ""
    """The Message-ID of the letter this one follows."""


class Server(Struct, frozen=True):
    """Where letters are handed in, and as whom."""

    host: str
    port: int
    user: str = ""


class Mailbox:
    """Sends from one address."""

    def __init__(self, server: Server, *, sender: str, password: str | None = None) -> None:
        self._server = server
        self._sender = sender
        self._password = password

    async def send(self, letter: Letter) -> str:
        """Send a letter; return its Message-ID."""
        message = EmailMessage()
        message["From"], message["To"] = self._sender, ", ".join(letter.to)
        message["Subject"], message["Message-ID"] = letter.subject, letter.message_id
        if letter.references:
            message["References"] = message["In-Reply-To"] = letter.references
        message.set_content(letter.text)
        if letter.html is not None:
            message.add_alternative(letter.html, subtype="html")
        async with self._session() as client:
            await client.send_message(message)
        return letter.message_id

    async def test(self) -> str:
        """Greet the server and log in as for a letter, and leave; return what was done."""
        async with self._session() as client:
            await client.noop()
            logged_in = self._password and client.supports_extension("auth")
            secured = "over TLS" if client.get_transport_info("sslcontext") else "in plain text"
            return f"{'logged in' if logged_in else 'greeted without a login'} {secured}"

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiosmtplib.SMTP]:
        client = aiosmtplib.SMTP(
            hostname=self._server.host, port=self._server.port, timeout=TIMEOUT_S
        )
        try:
            async with client:
                if self._password and client.supports_extension("auth"):
                    await client.login(self._server.user or self._sender, self._password)
                yield client
        except aiosmtplib.SMTPResponseException as error:
            raise NotAcceptedError(
                f"the mail server refused: {error.code} {error.message[:200]}",
                final=error.code >= _PERMANENT,
            ) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotAcceptedError(
                f"the mail server did not answer: {type(error).__name__}", outcome_unknown=True
            ) from error
