"""Keys of object stores and passphrases of copies: files of mode 0600, never anything else.

A value that holds a secret has no repr that tells it, so that no log and no error can.
"""

import base64
import secrets
from pathlib import Path

import msgspec

from abops.backup.model import Destination, Home, Kind
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

PASSPHRASE_BYTES = 48


class CredentialsError(OpsError):
    """The credentials of a destination cannot be used."""

    hint = 'S3: {"access_key": "...", "secret_key": "..."}; Azure: {"account_key": "..."}.'


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who we are to an object store: an access key and its secret, or an account's key."""

    access_key: str = ""
    secret_key: str = ""
    account_key: str = ""

    def __repr__(self) -> str:
        """Tell nothing."""
        return "Credentials(...)"


class Keyring(msgspec.Struct, frozen=True):
    """All that opens a destination: who we are to the store, what its copies are locked with."""

    keys: Credentials
    passphrase: str

    def __repr__(self) -> str:
        """Tell nothing."""
        return "Keyring(...)"


def read_credentials(path: Path, destination: Destination) -> Credentials:
    """Read and check the keys of a destination. Raises CredentialsError without their text."""
    where = f"{destination.name}: {path.name}"
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=Credentials)
    except FileNotFoundError as error:
        raise CredentialsError(f"{where} is not in {path.parent}") from error
    except OSError as error:
        raise CredentialsError(f"{where}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise CredentialsError(f"{where} is not what it must be: {error}") from None
    fields = {Kind.S3: ("access_key", "secret_key"), Kind.AZURE: ("account_key",)}
    missing = [name for name in fields[destination.kind] if not getattr(keys, name)]
    if missing:
        raise CredentialsError(f"{where} lacks {' and '.join(missing)}")
    if any(not value.isprintable() or " " in value for value in msgspec.structs.astuple(keys)):
        raise CredentialsError(f"{where} has a character that no key has")
    return keys


def credentials_of(home: Home, destination: Destination) -> Credentials:
    """Return the keys of a destination from the home's secrets."""
    return read_credentials(home.credentials(destination.credentials), destination)


def keyring_of(home: Home, destination: Destination) -> Keyring:
    """Return all that opens a destination, from the home's secrets."""
    return Keyring(credentials_of(home, destination), passphrase_of(home, destination))


def passphrase_of(home: Home, destination: Destination) -> str:
    """Return what the destination's copies are encrypted with. Raises CredentialsError."""
    path = home.passphrase(destination.name, destination.generation)
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise CredentialsError(
            f"{destination.name}: the passphrase {path.name} cannot be read: {error.strerror}",
            hint="Without it nothing in the destination can be read: bring back the file from the "
            "configuration bundle (abops backup config restore).",
        ) from error
    if not text:
        raise CredentialsError(f"{destination.name}: the passphrase {path.name} is empty")
    return text


def make_passphrase(home: Home, destination: Destination) -> bool:
    """Make the passphrase unless there is one; tell whether it was made."""
    path = home.passphrase(destination.name, destination.generation)
    if path.exists():
        return False
    text = base64.b64encode(secrets.token_bytes(PASSPHRASE_BYTES)).decode()
    write_atomic(path, text + "\n", mode=0o600)
    return True
