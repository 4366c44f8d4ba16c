"""Alerts about Redis. A Redis that holds tasks must lose nothing; a cache may."""

from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook, Severity
from abops.observability.catalogue.cases import STEP, Timing, around, rising, steady
from abops.observability.catalogue.place import Place, of_kind
from abops.observability.catalogue.redis_persistence import persistence_alerts
from abops.observability.catalogue.redis_use import use_alerts
from abops.observability.catalogue.wording import amount, percent

GROUP, BOARD, KIND = "redis", "redis", "redis"
SERVED = {"env": "local", "service": "redis"}
MINUTE = timedelta(minutes=1)
_WORKERS = frozenset({"celery", "celery_beat"})

_BIG = """\
```
redis-cli -h HOST info memory | grep -E 'used_memory_human|maxmemory'
redis-cli -h HOST info keyspace
redis-cli -h HOST --memkeys
for q in default messages analytics monitoring maintenance; do
  echo $q $(redis-cli -h HOST -n 1 llen $q); done
```
"""


def redis_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about Redis; none where there is none."""
    where = of_kind(inventory.stores, KIND)
    if where is None:
        return ()
    brokers = brokers_of(inventory)
    stores = [store.name for store in inventory.stores if store.kind == KIND]
    caches = [name for name in stores if name not in brokers]
    return (
        _memory_high(where),
        *(_evictions(where, "critical", brokers) for _ in brokers[:1]),
        *(_evictions(where, "warning", tuple(caches)) for _ in caches[:1]),
        _rejected(where),
        _clients(where),
        *persistence_alerts(where),
        *use_alerts(where),
    )


def brokers_of(inventory: Inventory) -> tuple[str, ...]:
    """Return the Redis stores that hold tasks: those that a worker depends on."""
    needed = {
        name
        for service in inventory.services
        if service.kind in _WORKERS
        for name in service.depends_on
    }
    return tuple(
        store.name for store in inventory.stores if store.kind == KIND and store.name in needed
    )


def _memory_high(where: Place) -> Alert:
    limit, hold = 0.85, 5 * MINUTE
    return Alert(
        name="RedisMemoryHigh",
        group=GROUP,
        severity="warning",
        expr="redis:memory:ratio > {threshold}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason=(
            "Share of maxmemory; without a limit there is no share and no alert. The last 15 % go"
            " within minutes when a queue backs up."
        ),
        summary="{{ $labels.service }} uses {{ $value | humanizePercentage }} of its memory",
        impact="At 100 % it refuses writes (noeviction) or throws keys away: tasks are lost.",
        labels=where.labels("memory", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="Redis nears maxmemory. What then happens is up to maxmemory-policy.",
            diagnosis=(
                _BIG + "\nOne long queue: the worker is behind or down (WorkerQueueStuck). Many"
                " keys without a time to live: RedisKeysWithoutTtl. A few huge keys: `--memkeys`"
                " names them."
            ),
            mitigation=(
                "A queue: start or add workers first, the memory comes back as they work it off."
                " Room on the machine: raise the limit at once, and in the configuration:\n\n```\n"
                "redis-cli -h HOST config set maxmemory 2gb\n```\nRemove keys of a pattern with"
                " `redis-cli -h HOST --scan --pattern 'cache:*' | xargs -n 100 redis-cli -h HOST"
                " unlink`. Never FLUSHALL or FLUSHDB: queues and acknowledgements go with it."
                " Never KEYS * on a busy server: it blocks everybody."
            ),
        ),
        cases=around(
            limit,
            lambda v: {'redis:memory:ratio{env="local",service="redis"}': steady(v)},
            lambda v: Fired(SERVED, f"redis uses {percent(v)} of its memory"),
            timing=Timing(hold),
        ),
    )


_REDIS_EVICTIONS_RUNBOOK: Final = Runbook(
    meaning=(
        "Redis reached maxmemory and its maxmemory-policy lets it remove keys to make"
        " room. For a broker the policy must be `noeviction`: then writers get an error"
        " and try again, and nothing is lost."
    ),
    diagnosis=(
        "```\nredis-cli -h HOST config get maxmemory-policy\n"
        "redis-cli -h HOST info stats | grep evicted\n```\n" + _BIG
    ),
    mitigation=(
        "A broker, at once:\n\n```\nredis-cli -h HOST config set maxmemory-policy"
        " noeviction\nredis-cli -h HOST config set maxmemory 2gb\nredis-cli -h HOST config"
        " rewrite\n```\nThen find what was lost: posts that are overdue are queued again by"
        " beat (`send_scheduled_message` runs each minute); other tasks are not, see the"
        " log of the API for what was published. A cache: give it more memory, or shorter"
        " times to live. Do not restart Redis to make room: it loads the same data again."
    ),
)


def _evictions(where: Place, severity: Severity, stores: tuple[str, ...]) -> Alert:
    limit, window = (1.0, 5 * MINUTE) if severity == "critical" else (1000.0, 5 * MINUTE)
    names = "|".join(stores)
    holds = "tasks" if severity == "critical" else "cached answers"

    def series(service: str) -> str:
        return f'redis_evicted_keys_total{{env="local",service="{service}"}}'

    return Alert(
        name="RedisEvictions",
        instance=severity,
        group=GROUP,
        severity=severity,
        expr=(
            "sum by (env, service)"
            f' (increase(redis_evicted_keys_total{{service=~"{names}"}}[5m])) >= {{threshold}}'
        ),
        threshold=limit,
        unit="keys in 5 minutes",
        reason=(
            "This Redis holds tasks: a key that is thrown away may be a queue."
            if severity == "critical"
            else "A cache may throw away what is old; a thousand in five minutes is a cache that"
            " is too small."
        ),
        summary=f"{{{{ $labels.service }}}} threw away keys: it holds {holds}",
        impact=(
            "Queued posts, results and acknowledgements may be gone without an error."
            if severity == "critical"
            else "Answers that were cached are computed again: PostgreSQL gets the load."
        ),
        labels=where.labels("memory", "durability" if severity == "critical" else "saturation"),
        board=BOARD,
        runbook=_REDIS_EVICTIONS_RUNBOOK,
        cases=(
            *around(
                limit,
                lambda v: {series(stores[0]): rising(v * STEP / window)},
                lambda _v: Fired(
                    {"env": "local", "service": stores[0]},
                    f"{stores[0]} threw away keys: it holds {holds}",
                ),
                timing=Timing(warm=window),
            ),
            Case("another Redis", {series("elsewhere"): rising(limit)}, 2 * window),
        ),
    )


def _rejected(where: Place) -> Alert:
    limit, window = 1.0, 5 * MINUTE
    series = 'redis_rejected_connections_total{env="local",service="redis"}'
    return Alert(
        name="RedisRejectedConnections",
        group=GROUP,
        severity="critical",
        expr=(
            "sum by (env, service) (increase(redis_rejected_connections_total[5m])) >= {threshold}"
        ),
        threshold=limit,
        unit="connections in 5 minutes",
        reason="Every one is a process that cannot work: there is no harmless number.",
        summary=("{{ $labels.service }} refused {{ $value | humanize }} connections in 5 minutes"),
        impact="Workers cannot fetch tasks and the API cannot queue posts.",
        labels=where.labels("connections", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "All of maxclients were in use: Redis answered `max number of clients reached`. If"
                " none becomes free, the exporter is refused too, and RedisDown fires instead."
            ),
            diagnosis=(
                "`redis-cli` may be refused too; try from the same machine again and again, or over"
                " the unix socket.\n\n```\nredis-cli -h HOST info clients\n"
                "redis-cli -h HOST client list | awk '{print $2, $4}' | sed 's/:[0-9]*//'"
                " | sort | uniq -c | sort -rn | head\n```\nOne address with thousands: it opens a"
                " connection for every request and closes none."
            ),
            mitigation=(
                "Restart the service that leaks; its connections close with it:\n\n```\n"
                "abops stack restart SERVICE\n```\nWin room meanwhile: `redis-cli -h HOST config"
                " set maxclients 20000` (the process' limit of open files bounds it), and `config"
                " set timeout 300` closes idle ones. Do not use `client kill type normal`: it cuts"
                " the workers too, and all come back at once."
            ),
        ),
        cases=around(
            limit,
            lambda v: {series: rising(v * STEP / window)},
            lambda v: Fired(SERVED, f"redis refused {amount(v)} connections in 5 minutes"),
            timing=Timing(warm=window),
        ),
    )


def _clients(where: Place) -> Alert:
    limit, hold = 0.8, 5 * MINUTE
    return Alert(
        name="RedisMaxClientsNear",
        group=GROUP,
        severity="warning",
        expr="redis:clients:ratio > {threshold}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason="A deploy doubles the clients of a service for a minute; it needs that fifth.",
        summary="{{ $labels.service }} has {{ $value | humanizePercentage }} of its clients",
        impact="None yet; at 100 % Redis refuses connections, see RedisRejectedConnections.",
        labels=where.labels("connections", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="Connected clients near maxclients.",
            diagnosis=(
                "```\nredis-cli -h HOST info clients\nredis-cli -h HOST client list | grep -oE"
                " 'addr=[0-9.]+|name=[^ ]*' | sort | uniq -c | sort -rn | head\n```\nA number that"
                " only grows is a leak; one that jumped with a deploy is the new pool size."
            ),
            mitigation=(
                "A leak: restart that service, then mend it (one client a process, not one a"
                " request). Otherwise raise the limit: `redis-cli -h HOST config set maxclients"
                " 20000`, `config rewrite`, and the open-files limit of the service with it."
            ),
        ),
        cases=around(
            limit,
            lambda v: {'redis:clients:ratio{env="local",service="redis"}': steady(v)},
            lambda v: Fired(SERVED, f"redis has {percent(v)} of its clients"),
            timing=Timing(hold),
        ),
    )
