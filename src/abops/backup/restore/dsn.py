"""The secret by which applications reach the database, pointed at the server that now serves.

User, password, database and options stay as they are: only where the server is changes. The secret
is looked at before anything is moved, for a cutover that cannot tell anybody would help nobody.
What it holds is never shown, not in an error either.
"""

import os
import re
import socket
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec

from abops.clients.postgres_server import PID_FILE
from abops.kernel.errors import OpsError, UsageError
from abops.kernel.files import write_atomic

_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_WORD: Final = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)")
_WHERE: Final = ("host", "hostaddr", "port")
_PORT_LINE, _SOCKET_LINE, _LISTEN_LINE = 3, 4, 5
_EVERYWHERE: Final = ("*", "0.0.0.0", "::")  # noqa: S104 - what a server says of itself


class DsnSecretError(OpsError):
    """The secret with the address of the database cannot be written."""

    hint = (
        "It holds the application's DSN, user and password in it; only host and port are put in. "
        "Name its folder with --secrets."
    )


class Address(msgspec.Struct, frozen=True):
    """Where a server is: a host's name or the folder of its socket, and a port."""

    host: str
    port: int


def find_secret(folder: Path, name: str) -> Path:
    """Return the file of a secret that can be read, understood and replaced, or refuse."""
    if not _NAME.match(name):
        raise UsageError(f"{name!r} is no name of a secret", hint="It is a file's name, no path.")
    path = folder / name
    dsn = _read(path)
    pointed_at(dsn, Address("localhost", 1))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DsnSecretError(f"{folder} cannot be written by the owner of the database")
    return path


def point_at(path: Path, address: Address) -> None:
    """Write the address into the secret: at once and as a whole, for its owner only."""
    write_atomic(path, pointed_at(_read(path), address) + "\n", mode=0o600)


def address_of(data: Path) -> Address:
    """Return where the server of a data folder listens, by its own note."""
    try:
        lines = (data / PID_FILE).read_text().splitlines()
        port, listens = int(lines[_PORT_LINE]), lines[_LISTEN_LINE].strip()
    except (OSError, ValueError, IndexError) as error:
        raise DsnSecretError(f"no server runs on {data}") from error
    if listens in _EVERYWHERE:
        listens = socket.getfqdn()
    return Address(listens or lines[_SOCKET_LINE].strip(), port)


def read_address(text: str, port: int) -> Address:
    """Read HOST or HOST:PORT. Raises UsageError."""
    host, colon, own = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if not host or (colon and not own.isdigit()):
        raise UsageError(f"{text!r} is no address", hint="Write HOST or HOST:PORT.")
    return Address(host, int(own) if own else port)


def pointed_at(dsn: str, address: Address) -> str:
    """Return a DSN with the address in it, in the form it has: URL, or words of libpq."""
    if "://" in dsn:
        return _url(dsn, address)
    words = _WORD.findall(dsn)
    if not words or _WORD.sub("", dsn).strip():
        raise DsnSecretError(
            "the secret holds no DSN: neither a URL nor words like host=... user=..."
        )
    kept = [f"{name}={value}" for name, value in words if name not in _WHERE]
    host = address.host.replace("\\", "\\\\").replace("'", "\\'")
    return " ".join([f"host='{host}'", f"port={address.port}", *kept])


def _url(dsn: str, address: Address) -> str:
    try:
        parts = urlsplit(dsn)
        options = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError as error:
        raise DsnSecretError("the secret holds a URL that cannot be read") from error
    who = parts.netloc.rpartition("@")[0]
    kept = [(name, value) for name, value in options if name not in _WHERE]
    if address.host.startswith("/"):
        kept += [("host", address.host), ("port", str(address.port))]
        place = ""
    else:
        host = f"[{address.host}]" if ":" in address.host else address.host
        place = f"{host}:{address.port}"
    netloc = f"{who}@{place}" if who else place
    query = urlencode(kept, safe="/", quote_via=quote)
    # By hand where there is no host: urlunsplit would leave the slashes out.
    whole = urlunsplit(("", "", parts.path, query, parts.fragment))
    return f"{parts.scheme}://{netloc}{whole}"


def _read(path: Path) -> str:
    try:
        dsn = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise DsnSecretError(f"secret {path.name} in {path.parent}: {reason}") from error
    if not dsn or "\n" in dsn:
        raise DsnSecretError(f"secret {path.name} in {path.parent} is not one line")
    return dsn
