"""The platform's own logs: one JSON object a line on stderr, secrets masked.

Field names follow ECS, as the services' logs do, so that one index template serves both.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET = re.compile(
    r"(bot)\d{5,}:[A-Za-z0-9_-]{20,}"  # Telegram puts the token into the path
    r"|(xox[abp]-)[A-Za-z0-9-]+"
    r"|(Bearer )[A-Za-z0-9._~+/=-]+"
    r"|(://[^:/@\s]+:)[^@/\s]+(?=@)"
)
_ECS = {"event": "message", "level": "log.level", "timestamp": "@timestamp"}


def mask(text: str) -> str:
    """Return `text` with tokens and passwords replaced by `***`."""
    return _SECRET.sub(lambda m: f"{next(filter(None, m.groups()), '')}***", text)


def _mask_values(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = mask(value)
    return event


def _rename(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {_ECS.get(key, key): value for key, value in event.items()}


def configure(service: str, *, level: str = "info") -> None:
    """Send this process's logs to stderr as JSON lines; `service` becomes service.name."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask_values,
            _rename,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(**{"service.name": service})
