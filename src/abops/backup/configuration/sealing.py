"""Sealing the bundle for those who hold a key, and opening it. By age, with X25519 keys.

Two recipients at least: a key of this machine, for what is done every day, and the offline
recovery key, which is made here, shown once and kept somewhere else. Whoever holds either opens
every bundle. What was altered by one bit does not open.
"""

from pathlib import Path
from typing import Final, Literal

import msgspec
import pyrage

from abops.backup.configuration.errors import DecryptError, KeyFileError, RecipientsError
from abops.backup.model import Home
from abops.kernel.files import write_atomic

LEAST: Final = 2
Holder = Literal["machine", "offline", "person"]


class Recipient(msgspec.Struct, frozen=True):
    """Who can open a bundle: the public part of a key, and where the secret one is."""

    holder: Holder
    public: str


def new_key() -> tuple[str, str]:
    """Return a new key: the secret part and the public one."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def public_part(secret: str) -> str:
    """Return the public part of a key. Raises KeyFileError."""
    return str(_identity(secret).to_public())


def read_key(path: Path) -> str:
    """Return the key in a file: its line that is no comment. Raises KeyFileError."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: cannot be read as a key file") from error
    keys = [line for line in lines if line and not line.startswith("#")]
    if len(keys) != 1:
        raise KeyFileError(f"{path}: holds {len(keys)} keys instead of one")
    public_part(keys[0])
    return keys[0]


def seal(plain: bytes, recipients: tuple[Recipient, ...]) -> bytes:
    """Return the text that only the recipients open. Raises RecipientsError when two few."""
    if len({one.public for one in recipients}) < LEAST:
        raise RecipientsError(f"{len(recipients)} of {LEAST} recipients are known")
    if not any(one.holder == "offline" for one in recipients):
        raise RecipientsError("no recipient is the offline recovery key")
    return bytes(pyrage.encrypt(plain, [_recipient(one.public) for one in recipients]))


def unseal(sealed: bytes, secret: str) -> bytes:
    """Return the plain text. Raises DecryptError for a wrong key and for any altered byte."""
    try:
        return bytes(pyrage.decrypt(sealed, [_identity(secret)]))
    except pyrage.DecryptError as error:
        raise DecryptError(f"the bundle does not open: {error}") from None


def load_recipients(home: Home) -> tuple[Recipient, ...]:
    """Return who can open the home's bundles; empty when nobody was named yet."""
    try:
        return msgspec.json.decode(home.recipients.read_bytes(), type=tuple[Recipient, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError) as error:
        raise RecipientsError(f"{home.recipients.name}: {error}") from error


def add_recipient(home: Home, recipient: Recipient) -> None:
    """Add one; a machine's and an offline key take the place of the one before."""
    _recipient(recipient.public)
    kept = [
        one
        for one in load_recipients(home)
        if one.public != recipient.public
        and (one.holder == "person" or one.holder != recipient.holder)
    ]
    text = msgspec.json.format(msgspec.json.encode([*kept, recipient]))
    write_atomic(home.recipients, text + b"\n")


def machine_key(home: Home) -> str:
    """Return the machine's own key, made when there is none."""
    if not home.identity.exists():
        secret, public = new_key()
        write_atomic(home.identity, f"# public key: {public}\n{secret}\n", mode=0o600)
        add_recipient(home, Recipient("machine", public))
    return read_key(home.identity)


def _identity(secret: str) -> pyrage.x25519.Identity:
    try:
        return pyrage.x25519.Identity.from_str(secret.strip())
    except pyrage.IdentityError as error:
        # Neither the text nor the library's words about it: the text may be almost a key.
        raise KeyFileError from error


def _recipient(public: str) -> pyrage.x25519.Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(public.strip())
    except pyrage.RecipientError as error:
        raise RecipientsError(f"{public[:70]!r} is no public key of age") from error
