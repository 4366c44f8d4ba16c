"""A mail server that takes the platform's messages and keeps them.

It asks for a login as a provider's submission server does (user `abops`), announces its size
limit, offers STARTTLS when it was given a certificate, and answers 4yz or 5yz when ordered: a 4yz
must be tried again, a 5yz must not.
"""

import asyncio
import email
import email.policy
import logging
import socket
import ssl
import warnings
from email.message import EmailMessage
from typing import Any, AnyStr, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from abops.stack.channels.config import ChannelConfigError
from abops.stack.channels.control import Faults
from abops.stack.channels.desk import Desk
from abops.stack.channels.severity import severity_in

CHANNEL: Final = "email"
USER: Final = "abops"
SIZE_BYTES: Final = 25 * 1024 * 1024  # what the large providers take
_ANSWERS: Final = {
    "429": "450 4.7.1 Too many messages, try again later",
    "4xx": "451 4.3.0 Temporary failure, try again later",
    "5xx": "554 5.7.1 Message refused",
    "malformed": "2xx \x01\x02",
}


class MailHandler:
    """aiosmtpd's hooks: what happens to a message once it is here."""

    def __init__(self, desk: Desk, faults: Faults) -> None:
        self._desk = desk
        self._faults = faults

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the message, or fail it as ordered."""
        order = self._faults.strike()
        if order.mode in _ANSWERS:
            return _ANSWERS[order.mode]
        if order.mode == "slow":
            await asyncio.sleep(order.delay_s)
        if order.mode in ("hang", "reset"):
            if order.mode == "hang":
                await self._faults.hang()
            if isinstance(server.transport, asyncio.Transport):
                server.transport.abort()
            return "421 4.3.0 Closing"
        self._keep(envelope)
        return "250 2.0.0 Ok: queued"

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        message = email.message_from_bytes(raw, policy=email.policy.default)
        subject = str(message["subject"] or "(no subject)")
        recipients = [str(name) for name in envelope.rcpt_tos]
        self._desk.recorder.receive(
            CHANNEL,
            action="message",
            destination=", ".join(recipients),
            severity=severity_in(subject),
            summary=subject,
            payload={
                "envelope_from": envelope.mail_from,
                "envelope_to": recipients,
                "subject": subject,
                "from": str(message["from"] or ""),
                "to": str(message["to"] or ""),
                "message_id": str(message["message-id"] or ""),
                "in_reply_to": str(message["in-reply-to"] or ""),
                "references": str(message["references"] or ""),
                "text": _body(message, "plain"),
                "html": _body(message, "html"),
                "size_bytes": len(raw),
            },
            answer={},
        )


class _Server(SMTP):
    """aiosmtpd's protocol, which also remembers what was too large or sent without a login."""

    def __init__(self, handler: MailHandler, *, desk: Desk, **settings: Any) -> None:  # noqa: ANN401 - aiosmtpd's own
        super().__init__(handler, **settings)
        self._desk = desk

    async def push(self, status: AnyStr) -> None:
        text = status.decode(errors="replace") if isinstance(status, bytes) else status
        if text.startswith("552"):
            self._desk.recorder.violate(CHANNEL, kind="limit", rule="message size", detail=text)
        elif text.startswith(("530", "535")):
            self._desk.recorder.violate(CHANNEL, kind="refused", rule="login", detail=text)
        await super().push(status)


async def start_smtp(desk: Desk, faults: Faults, connection: socket.socket) -> asyncio.Server:
    """Serve SMTP on the bound socket `connection` in the running loop."""
    loop = asyncio.get_running_loop()
    # On the loopback a login without TLS is meant; aiosmtpd would say so at every connection.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Requiring AUTH", category=UserWarning)
    handler = MailHandler(desk, faults)
    tls = _tls(desk)

    def authenticate(
        _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
    ) -> AuthResult:
        known = (
            isinstance(given, LoginPassword)
            and given.login.decode(errors="replace") == USER
            and desk.secrets.matches("smtp", given.password.decode(errors="replace"))
        )
        return AuthResult(success=known, handled=False)

    def protocol() -> _Server:
        return _Server(
            handler,
            desk=desk,
            loop=loop,
            hostname="mail.local",
            ident="ESMTP",
            data_size_limit=SIZE_BYTES,
            tls_context=tls,
            auth_required=True,
            auth_require_tls=False,  # the loopback is the wire
            authenticator=authenticate,
            enable_SMTPUTF8=True,
        )

    return await loop.create_server(protocol, sock=connection)


def _tls(desk: Desk) -> ssl.SSLContext | None:
    config = desk.config
    if config.smtp_certfile is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.smtp_certfile, config.smtp_keyfile)
    except (OSError, ssl.SSLError) as error:
        raise ChannelConfigError(
            f"the certificate {config.smtp_certfile} cannot be used: {error}"
        ) from error
    return context


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except LookupError:  # a charset that Python does not know
        return part.as_string()
