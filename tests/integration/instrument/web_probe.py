"""A small web service for uvicorn to run."""

import os
import sys
import time

import uvicorn
from fastapi import FastAPI

from abops_instrument import InstrumentMiddleware, metrics_app, setup

setup(
    "analyticbot-api",
    version="0",
    environment="test",
    sample_ratio=float(os.environ.get("PROBE_RATIO", "0.1")),
)
app = FastAPI()
app.add_route("/metrics", metrics_app)
app.add_middleware(InstrumentMiddleware, access_log=True)


@app.get("/health")
async def health() -> str:
    return "ok"


@app.get("/items/{item}")
async def items(item: int) -> int:
    return item


@app.get("/broken")
async def broken() -> None:
    raise KeyError("broken")


@app.get("/block")
async def block() -> None:
    time.sleep(1)  # noqa: ASYNC251 - what is measured


if __name__ == "__main__":
    uvicorn.run("web_probe:app", host="127.0.0.1", port=int(sys.argv[1]), workers=int(sys.argv[2]))
