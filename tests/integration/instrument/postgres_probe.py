"""An asynchronous engine as the services have it; run by the workload's interpreter."""

import asyncio
import os
import sys

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine

from abops_instrument import render
from abops_instrument.stores import instrument_engine


async def main() -> None:
    engine = create_async_engine(
        os.environ["PROBE_DSN"], pool_size=1, max_overflow=0, pool_timeout=0.2
    )
    instrument_engine(engine)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_sleep(0.1)"))
        try:
            await connection.execute(text("DELETE FROM nowhere"))
        except ProgrammingError:
            await connection.rollback()
        try:
            async with engine.connect():
                pass
        except PoolTimeoutError:
            pass
        await connection.execute(text("SELECT 1"))
        sys.stdout.write(render()[0].decode())
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
