"""PostgreSQL: one short statement at a time to read figures, and sessions for a store of ours."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
import structlog
from psycopg.types.string import StrDumperUnknown

from abops.kernel.errors import OpsError

CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 5_000
_AGAIN_S = 1.0
_log = structlog.get_logger()


class PostgresUnreachableError(OpsError):
    """PostgreSQL did not answer."""

    hint = "abops stack status postgres; the address comes from the environment."


class PostgresReader:
    """Reads from one database; connects again by itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Sequence[Any]] | None = None

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return all rows of `statement`. Raises PostgresUnreachableError, without the address."""
        try:
            connection = self._connected()
            return [tuple(row) for row in connection.execute(statement.encode()).fetchall()]
        except psycopg.Error as error:
            self.close()
            raise PostgresUnreachableError(f"PostgreSQL: {type(error).__name__}") from error

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection[Sequence[Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="abops-exporter",
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"
                " -c default_transaction_read_only=on",
            )
        return self._connection


class _WithoutNul(StrDumperUnknown):
    """Texts as PostgreSQL can keep them: it has no NUL, neither plain nor in JSON."""

    def dump(self, obj: str) -> bytes | bytearray | memoryview | None:
        if "\0" in obj or "\\u0000" in obj:
            obj = obj.replace("\0", "\ufffd").replace("\\u0000", "\\ufffd")
        return super().dump(obj)


def open_session(
    url: str, *, application: str, settings: Mapping[str, str]
) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect a part that keeps its state there, with these settings of the server's.

    Whoever has gone without a word is noticed within seconds, on both sides. Raises
    psycopg.Error; with several hosts in the address, the one that takes writes is found.
    """
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    session = psycopg.connect(
        url,
        application_name=application,
        connect_timeout=CONNECT_TIMEOUT_S,
        options=options,
        target_session_attrs="primary",
        keepalives_idle=3,
        keepalives_interval=1,
        keepalives_count=3,
        tcp_user_timeout=5_000,
    )
    session.adapters.register_dumper(str, _WithoutNul)
    return session


def listen(
    url: str, channel: str, *, application: str, stopped: Callable[[], bool]
) -> Iterator[str | None]:
    """Yield what is said on a channel until `stopped`, which is asked every second.

    None comes each time it begins to listen, at first and after a failure: whatever was said
    before that is lost. What is said to nobody for a second yields nothing.
    """
    while not stopped():
        try:
            with open_session(url, application=application, settings={}) as session:
                session.set_autocommit(True)
                session.execute(f"LISTEN {channel}".encode())
                yield None
                while not stopped():
                    for notice in session.notifies(timeout=1.0, stop_after=1):
                        yield notice.payload
        except psycopg.Error as error:
            _log.warning("nothing is heard from PostgreSQL", reason=type(error).__name__)
            time.sleep(_AGAIN_S)
