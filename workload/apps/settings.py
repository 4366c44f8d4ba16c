"""What the environment says, read once and checked.

Every process reads the same settings, so that one environment starts all of them. A value
that cannot be understood stops the process at its start with a sentence, not later with a
traceback.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
WEBHOOK_PATH = "/webhook/telegram"


class SettingsError(Exception):
    """The environment holds a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of one process."""

    database_url: str
    """PostgreSQL, without a driver's name: `postgresql://user:password@host:port/database`."""
    redis_url: str
    """Cache and locks. Losing it makes answers slower, never wrong."""
    broker_url: str
    """The five queues."""
    result_backend: str
    """Where Celery keeps the state of tasks for an hour."""
    bot_token: str
    telegram_api_url: str
    db_pool_size: int
    db_max_overflow: int
    db_pool_timeout_s: float
    metrics_port: int | None
    """Where a process without an HTTP service answers /metrics and /health."""
    metrics_host: str
    environment: str
    """Label `env`: local, staging, production."""
    api_secret: str
    """Signs the tokens of the login. Empty: drawn at start, a restart logs everybody out."""
    bot_poll_stall_s: float
    """The bot is unhealthy when its last successful poll is older.

    The local stack sets 10: with 60 a stalled bot could not page within 30 seconds.
    """
    webhook_url: str
    """Where Telegram delivers updates; empty when the bot asks for them itself."""
    webhook_secret: str
    """Telegram sends it with every update, so that nobody else's updates are taken."""
    webhook_look_s: float
    """Seconds between two questions how many updates wait at Telegram."""
    mtproto_enabled: bool
    mtproto_gateway_url: str
    """Where the accounts' sessions are reached; each method is a path below it."""
    mtproto_sessions: tuple[str, ...]
    """The accounts' session keys. Secrets: whoever has one is logged in as that account."""
    mtproto_interval_s: float
    """Seconds from the beginning of one round through all channels to the next."""
    faults_enabled: bool
    faults_file: Path

    @property
    def poll_timeout_s(self) -> int:
        """Return how long one poll may wait: a third of the stall limit, at most 10 s.

        A quiet bot, whose polls end by timeout, must stay far from looking stalled.
        """
        return max(1, min(10, int(self.bot_poll_stall_s / 3)))


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings that `environment` holds; raise SettingsError with the name at fault."""

    def read(name: str, convert: Callable[[str], T], default: T) -> T:
        raw = environment.get(name, "")
        if not raw:
            return default
        try:
            return convert(raw)
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from error

    webhook_url, webhook_secret = _webhook(environment)
    redis_url = read("REDIS_URL", _url("redis", "rediss", "unix"), "redis://127.0.0.1:6379/0")
    telegram_url = read("TELEGRAM_API_URL", _url("http", "https"), "http://127.0.0.1:8081")
    broker_url = read("CELERY_BROKER_URL", _url("redis", "rediss"), redis_url)
    return Settings(
        database_url=read(
            "DATABASE_URL",
            _database_url,
            "postgresql://analytic@127.0.0.1:5432/analytic_bot",
        ),
        redis_url=redis_url,
        broker_url=broker_url,
        result_backend=read("CELERY_RESULT_BACKEND", _url("redis", "rediss"), broker_url),
        bot_token=read("BOT_TOKEN", _bot_token, "100000:local-stub"),
        telegram_api_url=telegram_url.rstrip("/"),
        db_pool_size=read("DB_POOL_SIZE", _at_least(1), 10),
        db_max_overflow=read("DB_MAX_OVERFLOW", _at_least(0), 20),
        db_pool_timeout_s=read("DB_POOL_TIMEOUT", _seconds, 30.0),
        metrics_port=read("METRICS_PORT", _port, None),
        metrics_host=read("METRICS_HOST", str, "127.0.0.1"),
        environment=read("ENVIRONMENT", str, "local"),
        api_secret=read("API_SECRET", str, ""),
        bot_poll_stall_s=read("BOT_POLL_STALL_S", _seconds, 60.0),
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        webhook_look_s=read("BOT_WEBHOOK_LOOK_S", _seconds, 15.0),
        mtproto_enabled=read("MTPROTO_ENABLED", _switch, False),  # noqa: FBT003 - a default
        mtproto_gateway_url=read(
            "MTPROTO_GATEWAY_URL", _url("http", "https"), f"{telegram_url.rstrip('/')}/mtproto"
        ).rstrip("/"),
        mtproto_sessions=read("MTPROTO_SESSIONS", _session_keys, ("local-session",)),
        mtproto_interval_s=read("MTPROTO_INTERVAL_S", _seconds, 300.0),
        faults_enabled=read("WORKLOAD_FAULTS", _switch, False),  # noqa: FBT003 - a default
        faults_file=read("FAULTS_FILE", Path, Path("faults.json")),
    )


@cache
def settings() -> Settings:
    """Return this process's settings."""
    return read_settings(os.environ)


def _url(*schemes: str) -> Callable[[str], str]:
    def check(raw: str) -> str:
        # The value may hold a password: it is never part of the message.
        if urlsplit(raw).scheme not in schemes:
            raise ValueError(f"must start with {' or '.join(f'{name}://' for name in schemes)}")
        return raw

    return check


def _database_url(raw: str) -> str:
    scheme, separator, rest = raw.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError("must start with postgresql://")
    return f"postgresql://{rest}"


def _webhook(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the webhook's address and secret; two empty texts when the bot polls.

    The mode follows from the address unless BOT_MODE names one. A webhook without a secret is
    refused: whoever finds its address could speak for any user.
    """
    url, secret = environment.get("TELEGRAM_WEBHOOK_URL", ""), ""
    mode = environment.get("BOT_MODE", "") or ("webhook" if url else "polling")
    if mode not in {"polling", "webhook"}:
        raise SettingsError("BOT_MODE: must be polling or webhook")
    if mode == "polling":
        return "", ""
    address = urlsplit(url)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise SettingsError("TELEGRAM_WEBHOOK_URL: must start with https:// and name a host")
    secret = environment.get("TELEGRAM_WEBHOOK_SECRET", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]{8,256}", secret):
        raise SettingsError(
            "TELEGRAM_WEBHOOK_SECRET: must be 8 to 256 letters, digits, underscores or hyphens"
        )
    if address.path in {"", "/"}:
        url = f"{url.rstrip('/')}{WEBHOOK_PATH}"
    return url, secret


def _bot_token(raw: str) -> str:
    number, separator, secret = raw.partition(":")
    if not (number.isdigit() and separator and secret):
        raise ValueError("must look like 123456:secret")
    return raw


def _session_keys(raw: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in raw.split(","))
    if not all(re.fullmatch(r"[A-Za-z0-9_=-]{8,512}", key) for key in keys):
        raise ValueError("must be keys of 8 to 512 letters, digits, _, = or -, with commas between")
    if len(set(keys)) < len(keys):
        raise ValueError("holds a key twice: Telegram ends a session that is used twice at once")
    return keys


def _port(raw: str) -> int | None:
    port = int(raw)
    if not 0 < port < 65536:  # noqa: PLR2004 - the range of ports
        raise ValueError(f"{port} is not a port")
    return port


def _at_least(minimum: int) -> Callable[[str], int]:
    def check(raw: str) -> int:
        number = int(raw)
        if number < minimum:
            raise ValueError(f"{number} is less than {minimum}")
        return number

    return check


def _seconds(raw: str) -> float:
    seconds = float(raw)
    if not 0 < seconds < 86400 * 365:
        raise ValueError(f"{raw} is not a number of seconds above 0")
    return seconds


def _switch(raw: str) -> bool:
    if raw not in {"0", "1"}:
        raise ValueError("must be 0 or 1")
    return raw == "1"
