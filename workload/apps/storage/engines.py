"""Doors to PostgreSQL: one for coroutines (api, bot), one for tasks (worker, seed, migrations).

Both give up on a silent server after seconds instead of hanging with it, and look whether a
pooled connection still lives before they hand it out: a restarted database costs no request.
"""

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from apps.settings import Settings

CONNECT_TIMEOUT_S = 2
STATEMENT_TIMEOUT_S = 5

DATABASE_ERRORS = (OSError, TimeoutError, OperationalError, InterfaceError, PoolTimeoutError)
"""What a database that is away looks like to a caller; see also `is_away`."""


def is_away(error: Exception) -> bool:
    """Tell whether `error` says that the database cannot be reached (rather than: refuses)."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, DATABASE_ERRORS)


def async_engine(settings: Settings) -> AsyncEngine:
    """Return a pool for coroutines. It connects on first use."""
    return create_async_engine(
        make_url(settings.database_url).set(drivername="postgresql+asyncpg"),
        pool_size=settings.db_pool_size,
        max_overflow=settings.db_max_overflow,
        pool_timeout=settings.db_pool_timeout_s,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": STATEMENT_TIMEOUT_S,
            "server_settings": {"application_name": "analyticbot"},
        },
    )


def sync_engine(settings: Settings, *, pool_size: int | None = None) -> Engine:
    """Return a pool for plain functions. It connects on first use."""
    return create_engine(
        make_url(settings.database_url).set(drivername="postgresql+psycopg"),
        pool_size=pool_size or settings.db_pool_size,
        max_overflow=settings.db_max_overflow,
        pool_timeout=settings.db_pool_timeout_s,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "analyticbot",
        },
    )
