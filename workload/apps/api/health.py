"""Liveness and readiness, which are two questions.

`/health` touches no store: a database that is away must not make the platform restart a
healthy api. `/ready` asks the database and its schema; one that is ahead of the code (a deploy
in progress) is ready. Redis only makes answers faster, so its loss is told, not counted.
"""

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from apps.api.resources import Held, Resources
from apps.storage.tables import SCHEMA_REVISION

router = APIRouter(include_in_schema=False)
PATIENCE_S = 2.0


@router.get("/health")
async def health() -> dict[str, str]:
    """Say that the process lives."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(resources: Held) -> JSONResponse:
    """Say whether requests can be served."""
    database, redis = await asyncio.gather(_database(resources), _redis(resources))
    status = 200 if database == "ok" else 503
    word = "ready" if status == 200 else "not ready"  # noqa: PLR2004 - an HTTP status
    return JSONResponse({"status": word, "database": database, "redis": redis}, status)


async def _database(resources: Resources) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S), resources.engine.connect() as connection:
            revision = await connection.scalar(text("SELECT max(version_num) FROM alembic_version"))
    except TimeoutError:
        return "no answer"
    except (OSError, SQLAlchemyError) as error:
        return f"away ({type(error).__name__})"
    if revision is None or str(revision) < SCHEMA_REVISION:
        return f"schema {revision} is behind {SCHEMA_REVISION}"
    return "ok"


async def _redis(resources: Resources) -> str:
    return "ok" if await resources.cache.is_up() else "away"
