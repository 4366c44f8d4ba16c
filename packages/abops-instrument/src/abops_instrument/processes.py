"""One process per pod, or an explicit way to add several up.

Two uvicorn workers behind one port are two sets of counters: each scrape would read one of them
at random and every rate would be wrong. So more than one is refused, unless
PROMETHEUS_MULTIPROC_DIR names a folder through which they add up.
"""

import inspect
import os
import sys
from collections.abc import Iterator, Sequence
from types import FrameType

from abops_instrument.exposition import MULTIPROC_DIR


class MultipleProcessesError(RuntimeError):
    """Several web processes share one port, so each scrape would read one of them at random."""


def require_one_process() -> None:
    """Refuse to serve as one of several uvicorn workers whose metrics do not add up."""
    workers = max(
        _from_arguments(sys.argv), _from_environment(), *_from_server(inspect.currentframe()), 1
    )
    if workers > 1 and not os.environ.get(MULTIPROC_DIR):
        raise MultipleProcessesError(
            f"uvicorn runs {workers} processes behind one port, so each scrape of /metrics would "
            f"read one of them at random. Run one process per pod (scale pods instead), or set "
            f"{MULTIPROC_DIR} to an empty folder that all of them can write."
        )


def _from_arguments(arguments: Sequence[str]) -> int:
    for index, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--workers":
            return _count(value or (arguments[index + 1 : index + 2] or [""])[0])
    return 1


def _from_environment() -> int:
    return _count(os.environ.get("WEB_CONCURRENCY", ""))  # uvicorn's own variable


def _from_server(frame: FrameType | None) -> Iterator[int]:
    """Look at the uvicorn server that is running us: `uvicorn.run(workers=4)` shows only there."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "uvicorn.server":
            config = getattr(frame.f_locals.get("self"), "config", None)
            yield int(getattr(config, "workers", 1) or 1)
        frame = frame.f_back


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 1
