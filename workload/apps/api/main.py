"""The HTTP service: `uvicorn apps.api.main:app`.

It starts without its stores and outlives them: the database away means 503 at once on what
needs it, Redis away means slower answers only. `/health` says that the process lives, `/ready`
that it can serve.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.routing import Route

from abops_instrument import InstrumentMiddleware, metrics_app, setup
from apps import VERSION
from apps.api import analytics, auth, channels, health, posts
from apps.api.resources import Resources
from apps.settings import Settings, settings
from apps.storage.engines import DATABASE_ERRORS, is_away

log = logging.getLogger("api.app")
RETRY_AFTER_S = 2


def create_app(config: Settings) -> FastAPI:
    """Return the application for these settings."""
    setup("analyticbot-api", version=VERSION, environment=config.environment)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.resources = resources = Resources(config)
        async with resources:
            yield

    app = FastAPI(title="AnalyticBot", version=VERSION, lifespan=lifespan)
    app.router.routes.append(Route("/metrics", metrics_app))
    app.include_router(health.router)
    for part in (channels, posts, analytics, auth):
        app.include_router(part.router, prefix="/api/v1")
    for error in DATABASE_ERRORS:
        app.add_exception_handler(error, database_away)
    if config.faults_enabled:
        from apps.api.fault_effects import FaultMiddleware  # noqa: PLC0415 - never in production

        app.add_middleware(FaultMiddleware)
    app.add_middleware(InstrumentMiddleware, access_log=True)
    return app


async def database_away(_request: Request, error: Exception) -> JSONResponse:
    """Answer for a handler whose database went away; anything else stays an error."""
    if not is_away(error):
        raise error
    log.warning("database away: %s", type(error).__name__)
    return JSONResponse(
        {"error": {"code": "database_unavailable", "message": "Try again in a moment."}},
        status_code=503,
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


app = create_app(settings())
