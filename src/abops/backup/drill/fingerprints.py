"""What a database holds, table by table: how many rows, and a hash over all of them in order.

Two databases with the same fingerprints hold the same rows. A table is read as a stream in the
order of its key, so that its size costs time and no memory. Left out are tables that are not
logged, which are empty after every recovery, and views, which are made of the others.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Final

import msgspec

from abops.clients.postgres_session import PostgresSession, PostgresStatementError, SocketAddress
from abops.kernel.errors import OpsError

LOCK_TRIES: Final = 5
LOCK_TIMEOUT: Final = "2s"
SETTINGS: Final = (
    "SET timezone = 'UTC'",
    "SET datestyle = 'ISO'",
    "SET intervalstyle = 'postgres'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
    "SET statement_timeout = 0",
)
_TABLES: Final = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)
          FROM pg_index i
          CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
         WHERE i.indrelid = c.oid AND i.indisprimary
        HAVING bool_and(a.attcollation = 0))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
 ORDER BY 1
"""
_DATABASES: Final = (
    "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
)


class WritersDidNotPauseError(OpsError):
    """No moment was found at which nobody writes."""

    hint = "A long transaction holds its tables; try again when it has ended."


class Fingerprint(msgspec.Struct, frozen=True):
    """One table."""

    rows: int
    sha256: str


Fingerprints = Mapping[str, Fingerprint]
"""By database and table: `analytic_bot: public.posts`."""


class Difference(msgspec.Struct, frozen=True):
    """A table that is not the same."""

    table: str
    expected: Fingerprint | None
    found: Fingerprint | None

    def __str__(self) -> str:
        """Say what differs."""
        if self.expected is None:
            return f"{self.table} should not be there"
        if self.found is None:
            return f"{self.table} is missing"
        if self.expected.rows != self.found.rows:
            return f"{self.table} has {self.found.rows} rows instead of {self.expected.rows}"
        return f"{self.table} has other rows"


def differences(expected: Fingerprints, found: Fingerprints) -> tuple[Difference, ...]:
    """Return the tables that differ, by name."""
    return tuple(
        Difference(name, expected.get(name), found.get(name))
        for name in sorted({*expected, *found})
        if expected.get(name) != found.get(name)
    )


def databases_of(address: SocketAddress, database: str) -> tuple[str, ...]:
    """Return the databases of a cluster."""
    with PostgresSession(address, database) as session:
        return tuple(name for (name,) in session.rows(_DATABASES))


def take(address: SocketAddress, database: str) -> Fingerprints:
    """Return the fingerprints of everything a server holds, as it is while it is read."""
    found: dict[str, Fingerprint] = {}
    for name in databases_of(address, database):
        with PostgresSession(address, name) as session:
            session.run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            found.update(_read(session, name))
    return found


def take_at_point(address: SocketAddress, database: str, point: str) -> tuple[str, Fingerprints]:
    """Make a named restore point; return its LSN and the fingerprints exactly there.

    All tables are locked against writing for the moment in which the point is made and each
    database's view is fixed; reading goes on without locks. Raises WritersDidNotPauseError.
    """
    names = databases_of(address, database)
    for _ in range(LOCK_TRIES):
        try:
            with ExitStack() as stack:
                views = {
                    name: stack.enter_context(PostgresSession(address, name)) for name in names
                }
                lsn = _fix(address, views, point)
                found: dict[str, Fingerprint] = {}
                for name, view in views.items():
                    found.update(_read(view, name))
                return lsn, found
        except _BusyError:
            continue
    raise WritersDidNotPauseError


class _BusyError(Exception):
    """A table could not be locked in time."""


def _fix(address: SocketAddress, views: Mapping[str, PostgresSession], point: str) -> str:
    """Fix the view of every database at the point; return the point's LSN."""
    with ExitStack() as stack:
        locks = [stack.enter_context(PostgresSession(address, name)) for name in views]
        for lock in locks:
            _lock(lock)
        for view in views.values():
            view.run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            view.rows("SELECT 1")
        lsn: str = locks[0].one("SELECT pg_create_restore_point(%s)::text", [point])
        return lsn


def _lock(session: PostgresSession) -> None:
    tables = [name for name, _ in session.rows(_TABLES)]
    session.run("BEGIN")
    session.run(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    try:
        if tables:
            session.run(f"LOCK TABLE {', '.join(tables)} IN SHARE MODE")
    except PostgresStatementError as error:
        raise _BusyError from error


def _read(session: PostgresSession, database: str) -> Iterator[tuple[str, Fingerprint]]:
    for setting in SETTINGS:
        session.run(setting)
    for table, key in session.rows(_TABLES):
        # Keys that a collation orders may be ordered otherwise by another machine's library.
        order = key or 't::text COLLATE "C"'
        rows = session.one(f"SELECT count(*) FROM {table}")  # noqa: S608 - quoted by the server
        digest = session.digest(f"SELECT * FROM {table} t ORDER BY {order}")  # noqa: S608 - as above
        yield f"{database}: {table}", Fingerprint(rows, digest)
