"""Cases of the recorded series that PostgreSQL and Redis are measured by."""

from typing import Final

from abops.observability.catalogue.recording import RecordingCase
from abops.observability.catalogue.recording_cases import (
    SOON,
    case,
    gauges,
    name,
    rate_cases,
    rises,
    share_cases,
)

Cases = dict[str, tuple[RecordingCase, ...]]
PG: Final = {"env": "local", "service": "postgres"}
REDIS: Final = {"env": "local", "service": "redis"}


def store_cases() -> Cases:
    """Return the cases by the name of their recording."""
    return {**_postgres(), **_redis()}


def _part_of_sum(part: str, rest: str, kept: dict[str, str]) -> tuple[RecordingCase, ...]:
    """Return the cases of rate(part) / (rate(part) + rate(rest))."""
    return (
        case("a quarter", {name(part, kept): rises(1), name(rest, kept): rises(3)}, [(kept, 0.25)]),
        case(
            "its part rose within the window, the rest before",
            {name(part, kept): rises(1), name(rest, kept): "1000+14x100"},
            [(kept, 0.5)],
        ),
        case(
            "the rest rose within the window",
            {name(part, kept): "1000+14x100", name(rest, kept): rises(1)},
            [(kept, 0.5)],
        ),
        case("nothing was asked", {name(part, kept): "5x80", name(rest, kept): "7x80"}),
        case("there is none", {}),
    )


def _postgres() -> Cases:
    hit, read = "pg_stat_database_blks_hit", "pg_stat_database_blks_read"
    slot = {"env": "local", "slot_name": "standby"}
    statement = {"env": "local", "queryid": "42"}
    seconds, calls = "abops_pg_statement_seconds_total", "abops_pg_statement_calls_total"
    return {
        "postgres:connections:ratio": (
            case(
                "of those that are not reserved",
                gauges(
                    "pg_stat_activity_count",
                    [({**PG, "state": "active"}, 20), ({**PG, "state": "idle"}, 28)],
                )
                | gauges("pg_settings_max_connections", [(PG, 100)])
                | gauges("pg_settings_superuser_reserved_connections", [(PG, 4)]),
                [(PG, 0.5)],
                SOON,
            ),
            case(
                "all are reserved",
                gauges("pg_stat_activity_count", [({**PG, "state": "active"}, 2)])
                | gauges("pg_settings_max_connections", [(PG, 3)])
                | gauges("pg_settings_superuser_reserved_connections", [(PG, 3)]),
                at=SOON,
            ),
            case("there is none", {}, at=SOON),
        ),
        "postgres:cache_hit:ratio": _part_of_sum(hit, read, PG),
        "postgres:blocks_read:rate5m": rate_cases(read, PG),
        "postgres_slot:wal_room:ratio": (
            case(
                "a quarter is left",
                gauges("abops_pg_slot_safe_wal_bytes", [(slot, 256)])
                | gauges("pg_settings_max_slot_wal_keep_size_bytes", [(PG, 1024)]),
                [(slot, 0.25)],
                SOON,
            ),
            case(
                "a slot without a limit",
                gauges("abops_pg_slot_safe_wal_bytes", [(slot, 256)])
                | gauges("pg_settings_max_slot_wal_keep_size_bytes", [(PG, -1)]),
                at=SOON,
            ),
            case("there is none", {}, at=SOON),
        ),
        "postgres_statement:seconds:mean5m": (
            case(
                "slower since within the window",
                {name(seconds, statement): rises(0.5), name(calls, statement): "1000+28x100"},
                [(statement, 0.25)],
            ),
            case(
                "called since within the window",
                {name(seconds, statement): "1000+7x100", name(calls, statement): rises(2)},
                [(statement, 0.25)],
            ),
            case("not called", {name(seconds, statement): "5x80", name(calls, statement): "7x80"}),
            case("there is none", {}),
        ),
    }


def _redis() -> Cases:
    found, missed = "redis_keyspace_hits_total", "redis_keyspace_misses_total"
    return {
        "redis:memory:ratio": share_cases(
            [("redis_memory_used_bytes", REDIS, 64)],
            [("redis_memory_max_bytes", REDIS, 256)],
            REDIS,
            0.25,
        ),
        "redis:clients:ratio": share_cases(
            [("redis_connected_clients", REDIS, 64)],
            [("redis_config_maxclients", REDIS, 256)],
            REDIS,
            0.25,
        ),
        "redis:hit:ratio": _part_of_sum(found, missed, REDIS),
        "redis:lookups:rate5m": (
            case(
                "found and missed",
                {name(found, REDIS): rises(3), name(missed, REDIS): rises(1)},
                [(REDIS, 4)],
            ),
            case("there is none", {}),
        ),
    }
