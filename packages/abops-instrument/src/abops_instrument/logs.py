"""One JSON line per event on stdout, in ECS field names.

The line carries the trace and span of the work it belongs to, so that a log leads to its trace
and back. Everything textual is redacted here, in the process, before anything else sees it.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

from opentelemetry import trace

from abops_instrument.redaction import redact

# What logging itself puts on a record; the rest came from the caller's `extra`.
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class EcsFormatter(logging.Formatter):
    """Writes a log record as one JSON line.

    Fields given as `extra={"event.duration": 5}` keep their name; `dataset` is short for
    `event.dataset`.
    """

    def __init__(self, service: str, version: str, environment: str, dataset: str) -> None:
        super().__init__()
        self._dataset = dataset
        self._service = {
            "service.name": service,
            "service.version": version,
            "service.environment": environment,
        }

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for `record`, without its line end."""
        line: dict[str, Any] = {
            "@timestamp": _timestamp(record.created),
            "log.level": record.levelname.lower(),
            "message": redact(record.getMessage()),
            **self._service,
            "event.dataset": getattr(record, "dataset", self._dataset),
            "log.logger": record.name,
        }
        context = trace.get_current_span().get_span_context()
        if context.trace_id:
            line["trace.id"] = f"{context.trace_id:032x}"
            line["span.id"] = f"{context.span_id:016x}"
        for key, value in record.__dict__.items():
            if key not in _OWN and key != "dataset":
                line[key] = redact_value(value)
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, _traceback = record.exc_info
            line["error.type"] = kind.__name__
            line["error.message"] = redact(str(error))
            line["error.stack_trace"] = redact(self.formatException(record.exc_info))
        return _ENCODE(line)


_SHORT = 100
# Routes, methods and names come again and again; looking them up costs a tenth.
_redact_again = lru_cache(maxsize=1_024)(redact)


def redact_value(value: object) -> object:
    """Return `value` with every text inside it redacted."""
    if isinstance(value, str):
        return _redact_again(value) if len(value) <= _SHORT else redact(value)
    if isinstance(value, Mapping):
        return {str(key): redact_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(inner) for inner in value]
    return value


def _text(value: object) -> str:
    return redact(str(value))


# Made once: json.dumps with options makes an encoder a line.
_ENCODE = json.JSONEncoder(default=_text, ensure_ascii=False, separators=(",", ":")).encode


def _timestamp(created: float) -> str:
    seconds = int(created)
    return f"{_second(seconds)}.{int((created - seconds) * 1000):03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def configure_logs(  # noqa: PLR0913 - what a line says about its service
    service: str,
    *,
    version: str,
    environment: str,
    dataset: str | None = None,
    level: str = "INFO",
    stream: TextIO | None = None,
) -> logging.Handler:
    """Send everything that is logged in this process to `stream` (stdout) as JSON lines.

    The root logger's handlers are replaced; loggers that bring their own (uvicorn) hand their
    records up. Without `dataset` lines say `<last part of the service's name>.app`.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    name = dataset or f"{service.rsplit('-', 1)[-1]}.app"
    handler.setFormatter(EcsFormatter(service, version, environment, name))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The lines hold neither thread nor process, so nobody needs to ask for them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for own in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(own)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # the middleware tells it better
    return handler
