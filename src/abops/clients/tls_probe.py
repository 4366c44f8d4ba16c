"""What a TLS endpoint shows: its certificate's end, and its clock. Nothing is asked of it but that.

Connected by the authority that its configuration names, as the engine does it.
"""

import socket
import ssl
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from abops.kernel.clock import Clock

PATIENCE_S: Final = 5.0
_DATE: Final = b"\r\ndate: "


class Shown(msgspec.Struct, frozen=True):
    """What was seen; `trouble` says why there is nothing to see."""

    expires: float | None = None
    """End of the certificate, seconds since 1970."""
    ahead_s: float | None = None
    """How far our clock is ahead of its."""
    trouble: str = ""


def look_at_endpoint(host: str, port: int, ca_file: str, clock: Clock) -> Shown:
    """Connect, read the certificate, and ask for the time that every answer of HTTP carries."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        return Shown(trouble=f"{ca_file} is no file of an authority: {_why(error)}")
    try:
        with (
            socket.create_connection((host, port), timeout=PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert() or {}
            secure.sendall(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = secure.recv(65_536)
            now = clock.now()
    except (OSError, ssl.SSLError) as error:
        return Shown(trouble=_why(error))
    until = certificate.get("notAfter")
    expires = ssl.cert_time_to_seconds(until) if isinstance(until, str) else None
    theirs = _date(answer)
    return Shown(expires, None if theirs is None else now.timestamp() - theirs)


def _date(answer: bytes) -> float | None:
    at = answer.lower().find(_DATE)
    if at < 0:
        return None
    line = answer[at + len(_DATE) :].partition(b"\r\n")[0]
    try:
        return parsedate_to_datetime(line.decode("ascii")).timestamp()
    except (ValueError, UnicodeDecodeError):
        return None


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return f"no answer within {PATIENCE_S:g} s"
    return getattr(error, "strerror", None) or type(error).__name__
