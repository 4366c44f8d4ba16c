"""The store as access sees it: transactions of its own, beside the writer of alerts."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from abops.alerts.store.database import StoreUnavailableError, migrate, reason_of
from abops.alerts.store.place import Place

_T = TypeVar("_T")


class Ledger:
    """A few transactions an hour, one after the other; in SQLite the alerts' wait for them too."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def open(self) -> None:
        """Open the store; the schema is brought up when it is old or not there."""
        self._writer = self._place.open_ledger()
        migrate(self._writer)
        self._readers = self._place.open_readers()

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
    return StoreUnavailableError(reason_of(error))
