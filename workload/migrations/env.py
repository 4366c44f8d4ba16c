"""Runs migrations on the database that DATABASE_URL names, one transaction for all."""
# ruff: noqa: INP001 - Alembic loads this file by its path

from alembic import context

from apps.settings import settings
from apps.storage.engines import sync_engine
from apps.storage.tables import metadata


def run() -> None:
    """Bring the database to the wanted revision."""
    engine = sync_engine(settings(), pool_size=1)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, compare_type=True)
        with context.begin_transaction():
            # Two deploys at once would both try: the second waits for the first.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(46464646)")
            context.run_migrations()
    engine.dispose()


run()
