"""The store as access sees it: transactions of its own, beside the writer of alerts."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from abops.alerts.store.database import (
    StoreUnavailableError,
    migrate,
    open_readers,
    open_writer,
)

_T = TypeVar("_T")


class Ledger:
    """A few transactions an hour; SQLite makes them wait for the alerts' and the other way."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        """Open the store; the schema is brought up when it is old or not there."""
        self._writer = open_writer(self._path)
        migrate(self._writer)
        self._readers = open_readers(self._path)

    def close(self) -> None:
        """Close the files."""
        self._readers.dispose()
        self._writer.dispose()

    def read(self, work: Callable[[Connection], _T]) -> _T:
        """Run `work` on what is committed."""
        try:
            with self._readers.connect() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """Run `work` as one transaction; what it raises undoes it."""
        try:
            with self._writer.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error


def _unavailable(error: SQLAlchemyError) -> StoreUnavailableError:
    return StoreUnavailableError(str(getattr(error, "orig", error)))
