"""Where the store is: a file of this machine's, or a database that several replicas share.

The address of a database may hold a password, so it is never shown: not in a log, not in an
error, not in what Python says of the object.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import Engine

from abops.alerts.store import database, postgres
from abops.kernel.errors import OpsError, UsageError

FILE: Final = "alerts.db"
VARIABLE: Final = "ABOPS_ALERTS_STORE"
FILE_VARIABLE: Final = "ABOPS_ALERTS_STORE_FILE"
SCHEMES: Final = ("postgresql", "postgres")


class StoreAddressError(OpsError):
    """The address of the alert store cannot be used."""

    hint = "Write postgresql://USER:PASSWORD@HOST/DATABASE into a file and name it: --store-file."


class SecretInArgumentsError(UsageError):
    """The address holds a password, and everybody on this machine can read arguments."""

    hint = f"Name a file with --store-file, or set {VARIABLE}."


@dataclass(frozen=True)
class Place:
    """One store: a SQLite file, or with an address a PostgreSQL database."""

    path: Path
    """SQLite's file; beside it lies what each replica has for itself."""
    address: str = field(default="", repr=False)

    @property
    def shared(self) -> bool:
        """Whether other replicas may use it at the same time."""
        return bool(self.address)

    @property
    def exists(self) -> bool:
        """Whether there can be something in it already."""
        return self.shared or self.path.is_file()

    def open_writer(self) -> Engine:
        """Open it for the one thread of this process that writes alerts and incidents."""
        if self.shared:
            return postgres.open_writer(self.address)
        return database.open_writer(self.path)

    def open_ledger(self) -> Engine:
        """Open it for those who change access: one transaction after the other."""
        if self.shared:
            return postgres.open_ledger(self.address)
        return database.open_writer(self.path)

    def open_readers(self) -> Engine:
        """Open it for those who only read; they see the last commit."""
        if self.shared:
            return postgres.open_readers(self.address)
        return database.open_readers(self.path)


def place_of(folder: Path, *, given: str | None = None, file: Path | None = None) -> Place:
    """Return the store of a service: as given, as a file says, as the environment says, or SQLite.

    Raises StoreAddressError, SecretInArgumentsError.
    """
    if given is not None and urlsplit(given).password:
        raise SecretInArgumentsError
    if given is not None and "password" in parse_qs(urlsplit(given).query):
        raise SecretInArgumentsError
    if file is None and given is None and (named := os.environ.get(FILE_VARIABLE)):
        file = Path(named)
    address = given or os.environ.get(VARIABLE, "").strip()
    if file is not None:
        address = _read(file)
    if not address:
        return Place(folder / FILE)
    if urlsplit(address).scheme not in SCHEMES:
        raise StoreAddressError(f"{_source(given, file)} does not begin with postgresql://")
    return Place(folder / FILE, address)


def _read(file: Path) -> str:
    try:
        address = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreAddressError(f"{file} cannot be read: {error}") from error
    if not address:
        raise StoreAddressError(f"{file} is empty")
    return address


def _source(given: str | None, file: Path | None) -> str:
    if file is not None:
        return str(file)
    return "--store" if given is not None else VARIABLE
