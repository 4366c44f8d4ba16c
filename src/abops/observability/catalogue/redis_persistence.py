"""Whether Redis keeps what it holds: its append-only file, its snapshots, its primary."""

from datetime import timedelta
from typing import Final

from msgspec import Struct

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, steady
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.wording import duration

GROUP, BOARD = "redis", "redis"
SERVED = {"env": "local", "service": "redis"}
HALF = 0.5
MINUTE = timedelta(minutes=1)

_PERSISTENCE = """\
```
redis-cli -h HOST info persistence
redis-cli -h HOST config get dir
df -h DIR; ls -la DIR
abops stack logs redis -n 100
```
"""


class _Write(Struct, frozen=True):
    """One of the ways in which Redis writes to disk, and the gauge that is 1 while it can."""

    metric: str
    what: str


_WRITES = {
    "aof": _Write("redis_aof_last_write_status", "append to its append-only file"),
    "rewrite": _Write("redis_aof_last_bgrewrite_status", "rewrite its append-only file"),
    "snapshot": _Write("redis_rdb_last_bgsave_status", "save a snapshot"),
}


def persistence_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about what stays on disk and elsewhere."""
    return (
        *(_failing(where, name, write) for name, write in _WRITES.items()),
        _stale(where),
        _link_down(where),
    )


def _failing(where: Place, name: str, write: _Write) -> Alert:
    return Alert(
        name="RedisPersistenceFailing",
        instance=name,
        group=GROUP,
        severity="critical",
        expr=f"min by (env, service) ({write.metric}) < {{threshold}}",
        threshold=HALF,
        unit="(1 is well)",
        hold=MINUTE,
        reason="A minute: Redis tries a failed write again each second.",
        summary=f"{{{{ $labels.service }}}} could not {write.what}",
        impact="A restart now loses every task since the last good write; writes may be refused.",
        labels=where.labels("persistence", "durability"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "Redis could not write to disk. After a failed snapshot it refuses all writes with"
                " `MISCONF` (stop-writes-on-bgsave-error); after a failed append as well."
            ),
            diagnosis=(
                _PERSISTENCE + "\n`No space left on device`: the disk. `Can't save in background:"
                " fork: Cannot allocate memory`: memory; see `sysctl vm.overcommit_memory`, it"
                " should be 1. `Permission denied`: owner or mount (read-only after a disk error:"
                " `dmesg`)."
            ),
            mitigation=(
                "Make room on the volume or mend its rights; Redis goes on by itself. Try a"
                " snapshot and see:\n\n```\nredis-cli -h HOST bgsave\n"
                "redis-cli -h HOST info persistence | grep -E 'status|in_progress'\n```\n"
                "Fork fails: `sysctl -w vm.overcommit_memory=1`. Do not restart Redis before a"
                " write has worked: what is only in memory would be lost. Do not set"
                " stop-writes-on-bgsave-error to no: it hides this."
            ),
        ),
        cases=around(
            HALF,
            lambda v: {f'{write.metric}{{env="local",service="redis"}}': steady(v)},
            lambda _v: Fired(SERVED, f"redis could not {write.what}"),
            below=True,
            timing=Timing(MINUTE),
        ),
    )


_REDIS_PERSISTENCE_STALE_RUNBOOK: Final = Runbook(
    meaning=(
        "The append-only file is off, data have changed, and there has been no snapshot"
        " for two hours."
    ),
    diagnosis=(
        _PERSISTENCE + "```\nredis-cli -h HOST config get save\n"
        "redis-cli -h HOST config get appendonly\n```\nAn empty `save` and `appendonly no`:"
        " this Redis was started as a mere cache. A Redis that holds tasks must have"
        " `appendonly yes`."
    ),
    mitigation=(
        "Switch the append-only file on while it runs; Redis writes the whole of it at"
        " once:\n\n```\nredis-cli -h HOST config set appendonly yes\n"
        "redis-cli -h HOST config rewrite\n```\nWatch `aof_rewrite_in_progress` until it is"
        " 0. Do not edit the file and restart instead: with an empty append-only file"
        " Redis starts empty."
    ),
)


def _stale(where: Place) -> Alert:
    limit = 7200.0
    labels = '{env="local",service="redis"}'
    saved = f"redis_rdb_last_save_timestamp_seconds{labels}"
    changes = f"redis_rdb_changes_since_last_save{labels}"
    aof = f"redis_aof_enabled{labels}"

    def history(age: float, changed: str = "9x50", appends: str = "0x50") -> dict[str, str]:
        return {saved: steady(-age), changes: changed, aof: appends}

    def fired(age: float) -> Fired:
        return Fired(SERVED, f"redis was last saved {duration(age)} ago")

    past = 1.1 * limit
    return Alert(
        name="RedisPersistenceStale",
        group=GROUP,
        severity="warning",
        expr=(
            "time() - max by (env, service) (redis_rdb_last_save_timestamp_seconds) > {threshold}"
            " and max by (env, service) (redis_rdb_changes_since_last_save) > 0"
            " unless max by (env, service) (redis_aof_enabled) == 1"
        ),
        threshold=limit,
        unit="seconds",
        reason=(
            "With changes to save and no append-only file. By default Redis saves within the hour"
            " when anything changed."
        ),
        summary="{{ $labels.service }} was last saved {{ $value | humanizeDuration }} ago",
        impact="A restart now loses everything since: queued posts, results, schedules.",
        labels=where.labels("persistence", "durability"),
        board=BOARD,
        runbook=_REDIS_PERSISTENCE_STALE_RUNBOOK,
        cases=(
            Case("long ago", history(past), MINUTE, (fired(past + 60),)),
            Case("lately", history(0.9 * limit), MINUTE),
            Case("nothing to save", history(past, "0x50"), MINUTE),
            Case("it appends", history(past, appends="1x50"), MINUTE),
            Case(
                "whether it appends is unknown",
                {saved: steady(-past), changes: "9x50"},
                MINUTE,
                (fired(past + 60),),
            ),
            Case("changes unknown", {saved: steady(-past), aof: "0x50"}, MINUTE),
            Case("no data", {}, MINUTE),
        ),
    )


def _link_down(where: Place) -> Alert:
    series = 'redis_master_link_up{env="local",service="redis",instance="a",master_host="b"}'
    return Alert(
        name="RedisMasterLinkDown",
        group=GROUP,
        severity="critical",
        expr="min by (env, service, instance) (redis_master_link_up) < {threshold}",
        threshold=HALF,
        unit="(1 is connected)",
        hold=MINUTE,
        reason="A replica that restarts is connected again within seconds.",
        summary="Replica {{ $labels.instance }} of {{ $labels.service }} lost its primary",
        impact="If the primary dies now, every task since the link broke is lost.",
        labels=where.labels("replication", "replication"),
        board=BOARD,
        runbook=Runbook(
            meaning="A Redis replica has had no connection to its primary for a minute.",
            diagnosis=(
                "On the replica, then on the primary:\n\n```\n"
                "redis-cli -h REPLICA info replication\nredis-cli -h PRIMARY info replication\n"
                "redis-cli -h REPLICA role\n```\n`master_link_down_since_seconds` says since when."
                " The replica's log says why: `NOAUTH` or `WRONGPASS` (masterauth), `Connection"
                " refused`, or a full synchronisation that starts again and again because"
                " client-output-buffer-limit of the primary cuts it."
            ),
            mitigation=(
                "The primary is down: RedisDown comes first; promote only if it does not come"
                " back (`redis-cli -h REPLICA replicaof no one`), and never let two of them take"
                " writes. A loop of synchronisations: on the primary `redis-cli config set"
                " client-output-buffer-limit 'replica 1gb 512mb 120'` and `config set"
                " repl-backlog-size 256mb`."
            ),
        ),
        cases=around(
            HALF,
            lambda v: {series: steady(v)},
            lambda _v: Fired({**SERVED, "instance": "a"}, "Replica a of redis lost its primary"),
            below=True,
            timing=Timing(MINUTE),
        ),
    )
