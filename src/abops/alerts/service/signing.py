"""Links in letters by which an incident is acknowledged: signed, for one incident, for a day.

A mail program or a scanner may open every link it sees, so opening one shows a page with a
button and does nothing else. Whoever has the letter may press it.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64Error
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from abops.alerts.model import ServiceConfig
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

LASTS_S: Final = 86_400.0
KEY_NAME: Final = "letters"
"""File of the secrets folder with the key; replicas need the same one."""
KEY_FILE: Final = "letters-key"
"""File of the data folder with a key that was drawn where there is no secret."""
_BYTES: Final = 16
_encode = msgspec.json.Encoder().encode


class LinkError(OpsError):
    """This link does not acknowledge anything."""

    hint = (
        "It is older than a day, or was cut on its way. Open the incident in the console instead."
    )


class Linked(Struct, frozen=True, array_like=True):
    """What a link is for."""

    instance: int
    number: int
    channel: str
    until: int


_read = msgspec.json.Decoder(Linked)


class Signing:
    """Signs links and reads them."""

    def __init__(self, config: ServiceConfig) -> None:
        self._secret = Path(config.endpoints.secrets_dir) / KEY_NAME
        self._drawn = config.data_dir / KEY_FILE
        self._key = b""

    def sign(self, instance: int, number: int, channel: str, now: float) -> str:
        """Return what a link to an incident ends in."""
        said = _encode(Linked(instance, number, channel, int(now + LASTS_S)))
        return _text(self._tag(said) + said)

    def read(self, instance: int, token: str, now: float) -> Linked:
        """Return what a link is for; raises LinkError."""
        try:
            raw = urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        except (NotBase64Error, ValueError) as error:
            raise LinkError("this link was changed on its way") from error
        tag, said = raw[:_BYTES], raw[_BYTES:]
        if not hmac.compare_digest(tag, self._tag(said)):
            raise LinkError("this link was changed on its way")
        linked = _read.decode(said)
        if linked.instance != instance:
            raise LinkError("this link is another installation's")
        if now >= linked.until:
            raise LinkError("this link is older than a day")
        return linked

    def _tag(self, said: bytes) -> bytes:
        return hmac.new(self._read_key(), b"letter:" + said, "sha256").digest()[:_BYTES]

    def _read_key(self) -> bytes:
        """Return the key; one is drawn where there is none."""
        if not self._key:
            for path in (self._secret, self._drawn):
                if path.is_file() and (key := path.read_bytes().strip()):
                    self._key = key
                    return key
            self._drawn.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._drawn, f"{secrets.token_urlsafe(32)}\n", mode=0o600)
            self._key = self._drawn.read_bytes().strip()
        return self._key


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
