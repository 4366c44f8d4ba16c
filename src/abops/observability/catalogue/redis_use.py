"""How Redis is used: hits, slow commands, waiting clients, keys that never go, waste."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, Timing, around, rising, steady
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import amount, percent, size

GROUP, BOARD = "redis", "redis"
SERVED = {"env": "local", "service": "redis"}
LABELS = '{env="local",service="redis"}'
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def use_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts that inform."""
    return (
        _hit_ratio(where),
        _fragmentation(where),
        _slowlog(where),
        _blocked(where),
        _without_ttl(where),
    )


_REDIS_HIT_RATIO_DROP_RUNBOOK: Final = Runbook(
    meaning="Lookups miss far more often than at this time yesterday, for half an hour.",
    diagnosis=(
        "```\nredis-cli -h HOST info stats | grep -E 'keyspace|evicted|expired'\n"
        "redis-cli -h HOST info keyspace\n```\nEvicted keys: memory, see RedisEvictions."
        " Few keys: somebody flushed, or Redis restarted empty (`uptime_in_seconds`). As"
        " many as ever: a deploy changed the names of keys or shortened their time to live."
    ),
    mitigation=(
        "A cache that was emptied fills by itself: watch PostgreSQL meanwhile. Other names"
        " of keys: the old ones expire; roll the deploy back only if PostgreSQL suffers."
    ),
)


def _hit_ratio(where: Place) -> Alert:
    share, floor = 0.7, 1
    hold, step, day = 30 * MINUTE, 10 * MINUTE, timedelta(days=1)

    def fired(ratio: float) -> Fired:
        return Fired(SERVED, f"redis finds only {percent(ratio)} of the keys it is asked for")

    def history(now: float, lookups: float = 50) -> dict[str, str]:
        # A day (144 steps) of 90 %; the first sample of `now` is the last one of that day.
        return {
            f"redis:hit:ratio{LABELS}": f"0.9x143 {now:g}x40",
            f"redis:lookups:rate5m{LABELS}": steady(lookups),
        }

    return Alert(
        name="RedisHitRatioDrop",
        group=GROUP,
        severity="info",
        expr=(
            "redis:hit:ratio < {threshold} * redis:hit:ratio offset 1d"
            f" and redis:lookups:rate5m > {floor}"
        ),
        threshold=share,
        unit="of yesterday's ratio",
        hold=hold,
        reason="Against the same hour of yesterday: what is usual differs from cache to cache.",
        summary=(
            "{{ $labels.service }} finds only {{ $value | humanizePercentage }} of the keys it is"
            " asked for"
        ),
        impact="What is not found is computed again: PostgreSQL gets the load, answers are slower.",
        labels=where.labels("cache", "latency"),
        board=BOARD,
        step=step,
        runbook=_REDIS_HIT_RATIO_DROP_RUNBOOK,
        cases=(
            Case("past the threshold", history(0.57), day + hold, (fired(0.57),)),
            Case("not before its hold", history(0.57), day + hold - step),
            Case("short of the threshold", history(0.69), day + 2 * hold),
            Case("enough lookups", history(0.5, 1.1 * floor), day + hold, (fired(0.5),)),
            Case("hardly any lookups", history(0.5, 0.9 * floor), day + 2 * hold),
            Case(
                "lookups unknown",
                {f"redis:hit:ratio{LABELS}": "0.9x143 0.5x40"},
                day + 2 * hold,
            ),
            Case("no yesterday", {f"redis:hit:ratio{LABELS}": steady(0.1, 60)}, 2 * hold),
            Case("no data", {}, day + 2 * hold),
        ),
    )


_REDIS_FRAGMENTATION_RUNBOOK: Final = Runbook(
    meaning=(
        "The kernel gives Redis much more memory than its data need: pages that are only"
        " partly in use after many keys went away."
    ),
    diagnosis=(
        "```\n"
        "redis-cli -h HOST info memory | grep -E 'used_memory_(rss_)?human|peak|frag'\n"
        "redis-cli -h HOST memory doctor\n```\nUsual after a queue that was long and is"
        " short again: `used_memory_peak` far above `used_memory`."
    ),
    mitigation=(
        "Let Redis move its data together while it runs (costs some CPU):\n\n```\n"
        "redis-cli -h HOST config set activedefrag yes\n"
        "redis-cli -h HOST memory purge\n```\n"
        "`activedefrag` needs the jemalloc build; otherwise restart a replica first, then"
        " fail over. There is no hurry while the machine has memory."
    ),
)


def _fragmentation(where: Place) -> Alert:
    limit, floor, hold = 1.5, 100 * 1024**2, 30 * MINUTE
    rss, used = f"redis_memory_used_rss_bytes{LABELS}", f"redis_memory_used_bytes{LABELS}"
    largest, asked = (f"max by (env, service) ({metric.split('{')[0]})" for metric in (rss, used))

    def fired(held: float) -> Fired:
        return Fired(SERVED, f"redis holds {size(held)}B, half as much again as its data need")

    return Alert(
        name="RedisFragmentation",
        group=GROUP,
        severity="info",
        expr=(f"{largest} > {{threshold}} * {asked} and {largest} - {asked} > {floor}"),
        threshold=limit,
        unit="times the memory of the data",
        hold=hold,
        reason="And more than 100 MiB of it: the allocator of a small Redis always has some.",
        summary=(
            "{{ $labels.service }} holds {{ $value | humanize1024 }}B, half as much again as its"
            " data need"
        ),
        impact="The machine runs short of memory although Redis holds little.",
        labels=where.labels("memory", "maintenance"),
        board=BOARD,
        runbook=_REDIS_FRAGMENTATION_RUNBOOK,
        cases=(
            *around(
                limit,
                lambda v: {rss: steady(v * 1e9), used: steady(1e9)},
                lambda v: fired(v * 1e9),
                timing=Timing(hold),
            ),
            Case(
                "just much enough",
                {rss: steady(2.2 * floor), used: steady(1.1 * floor)},
                hold,
                (fired(2.2 * floor),),
            ),
            Case(
                "a small Redis",
                {rss: steady(1.8 * floor), used: steady(0.9 * floor)},
                2 * hold,
            ),
            Case("data unknown", {rss: steady(1e9)}, 2 * hold),
        ),
    )


def _slowlog(where: Place) -> Alert:
    limit, window = 10.0, 10 * MINUTE
    return Alert(
        name="RedisSlowlog",
        group=GROUP,
        severity="info",
        expr="max by (env, service) (delta(redis_slowlog_last_id[10m])) > {threshold}",
        threshold=limit,
        unit="commands in 10 minutes",
        reason="More than one a minute that took over slowlog-log-slower-than (10 ms).",
        summary=("{{ $labels.service }} ran {{ $value | humanize }} slow commands in 10 minutes"),
        impact="Redis runs one command at a time: everybody else waits for each of them.",
        labels=where.labels("commands", "latency"),
        board=BOARD,
        runbook=Runbook(
            meaning="Commands took longer than slowlog-log-slower-than, again and again.",
            diagnosis=(
                "```\nredis-cli -h HOST slowlog get 10\nredis-cli -h HOST latency doctor\n"
                "redis-cli -h HOST --bigkeys\n```\n`KEYS`, `SMEMBERS`, `HGETALL`, `LRANGE 0 -1` or"
                " `DEL` of a huge key: the code. All kinds, even GET: the machine (swap, fork of a"
                " snapshot, a neighbour's CPU)."
            ),
            mitigation=(
                "Stop the job or script that sends them (`slowlog get` shows address and name of"
                " the client). SCAN instead of KEYS, UNLINK instead of DEL, smaller keys. A script"
                " that hangs: `redis-cli -h HOST script kill`. Do not raise the limit: it hides"
                " them."
            ),
        ),
        cases=around(
            limit,
            lambda v: {f"redis_slowlog_last_id{LABELS}": rising(v * STEP / window)},
            lambda v: Fired(SERVED, f"redis ran {amount(v)} slow commands in 10 minutes"),
            timing=Timing(warm=window),
        ),
    )


def _blocked(where: Place) -> Alert:
    limit, floor, hold = 0.5, 20, 15 * MINUTE
    blocked, clients = f"redis_blocked_clients{LABELS}", f"redis_connected_clients{LABELS}"

    def fired(waiting: float) -> Fired:
        return Fired(SERVED, f"{amount(waiting)} clients wait in redis, more than half of all")

    return Alert(
        name="RedisBlockedClients",
        group=GROUP,
        severity="info",
        expr=(
            "max by (env, service) (redis_blocked_clients)"
            " > {threshold} * max by (env, service) (redis_connected_clients)"
            f" and max by (env, service) (redis_blocked_clients) > {floor}"
        ),
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason=(
            "A worker waits with one of its connections for the next task; more than half of all"
            f" clients, and more than {floor}, is something else."
        ),
        summary=(
            "{{ $value | humanize }} clients wait in {{ $labels.service }}, more than half of all"
        ),
        impact="Their processes do nothing else; pools of connections may run dry.",
        labels=where.labels("connections", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Clients wait in BRPOP, BLPOP, XREAD or WAIT. Idle workers do; a web process"
                " that does holds a request open."
            ),
            diagnosis=(
                "```\nredis-cli -h HOST client list | grep ' flags=b'\n"
                "redis-cli -h HOST info clients\n```\n`cmd=brpop` and queues that are empty: idle"
                " workers, all is well. Queues that are not empty: those workers listen to other"
                " queues or another database. `cmd=wait`: a replica does not acknowledge, see"
                " RedisMasterLinkDown."
            ),
            mitigation=(
                "Workers on the wrong queue: `celery -A infra.celery.celery_app inspect"
                " active_queues`, then restart them with the right `-Q`. Too many idle workers:"
                " scale down. One client: `redis-cli -h HOST client unblock ID`."
            ),
        ),
        cases=(
            *around(
                limit,
                lambda v: {blocked: steady(1000 * v), clients: steady(1000)},
                lambda v: fired(1000 * v),
                timing=Timing(hold),
            ),
            Case("just enough", {blocked: "22x200", clients: "30x200"}, hold, (fired(22),)),
            Case("a few workers", {blocked: "18x200", clients: "30x200"}, 2 * hold),
            Case("clients unknown", {blocked: "500x200"}, 2 * hold),
        ),
    )


_REDIS_KEYS_WITHOUT_TTL_RUNBOOK: Final = Runbook(
    meaning="Most keys of a database have no time to live: nobody ever removes them.",
    diagnosis=(
        "Which names they have (DB: the digits of the label `db`):\n\n```\n"
        "redis-cli -h HOST -n DB --scan --count 1000 | head -2000 |"
        " sed 's/[0-9a-f-]\\{8,\\}/ID/g' | sort | uniq -c | sort -rn | head\n"
        "redis-cli -h HOST -n DB ttl KEY\n```\n"
        "`celery-task-meta-*` without a time to live: result_expires is off."
    ),
    mitigation=(
        "Mend the code that writes them (SET with EX). Give those that are there a"
        " day:\n\n```\nredis-cli -h HOST -n DB --scan --pattern 'PREFIX:*'"
        " | xargs -I{} redis-cli -h HOST -n DB expire {} 86400 NX\n```\nNever for names of"
        " queues, `_kombu.*` or `unacked*`: those are the tasks."
    ),
)


def _without_ttl(where: Place) -> Alert:
    limit, floor = 0.5, 1000
    keys = 'redis_db_keys{env="local",service="redis",db="db0"}'
    expiring = keys.replace("redis_db_keys", "redis_db_keys_expiring")
    labels = {**SERVED, "db": "db0"}
    every = "max by (env, service, db) (redis_db_keys)"
    stay = f"{every} - max by (env, service, db) (redis_db_keys_expiring)"

    def fired(count: float) -> Fired:
        return Fired(labels, f"{amount(count)} keys of db0 in redis never go, more than half")

    def history(total: float, staying: float) -> dict[str, str]:
        return {keys: steady(total), expiring: steady(total - staying)}

    return Alert(
        name="RedisKeysWithoutTtl",
        group=GROUP,
        severity="info",
        expr=f"{stay} > {{threshold}} * {every} and {stay} > {floor}",
        threshold=limit,
        unit="ratio",
        hold=HOUR,
        reason=(
            f"And more than {floor:,} of them: queues and their bindings have no time to live"
            " either, but they are few."
        ),
        summary=(
            "{{ $value | humanize }} keys of {{ $labels.db }} in {{ $labels.service }} never go,"
            " more than half"
        ),
        impact="Memory only grows, until writes are refused or keys are thrown away.",
        labels=where.labels("memory", "maintenance"),
        board=BOARD,
        runbook=_REDIS_KEYS_WITHOUT_TTL_RUNBOOK,
        cases=(
            *around(
                limit,
                lambda v: history(1e5, 1e5 * v),
                lambda v: fired(1e5 * v),
                timing=Timing(HOUR),
            ),
            Case("just many enough", history(1200, 1100), HOUR, (fired(1100),)),
            Case("a broker's own", history(950, 900), HOUR),
            Case("times to live unknown", {keys: steady(1e5)}, HOUR),
        ),
    )
