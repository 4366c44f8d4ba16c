"""From what platform.yaml says to what a home keeps; endpoints may be this machine's own."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from abops.backup.model import (
    Cluster,
    Destination,
    Keeping,
    Kind,
    RecoveryTargets,
    Site,
    Timetable,
    WalRules,
)
from abops.inventory.backup import AzureDestination, Backup, S3Destination
from abops.inventory.backup import Destination as Declared
from abops.kernel.errors import UsageError


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a destination really is, in an environment of one's own (tests, this machine)."""

    endpoint: str
    port: int = 443
    ca_file: str = ""
    container: str = ""
    account: str = ""


Endpoints = Mapping[str, Endpoint]


def read_endpoints(path: Path) -> Endpoints:
    """Read a file of endpoints: JSON, by the destination's name. Raises UsageError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Endpoint])
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"{path}: {error}",
            hint='{"eu": {"endpoint": "localhost", "port": 8443, "ca_file": "/etc/ca.crt"}}',
        ) from error


def site_of(
    declared: Backup,
    cluster: Cluster,
    engine: Path,
    *,
    endpoints: Endpoints,
    names: tuple[str, ...],
) -> Site:
    """Return what a home is to protect: all destinations, or the named ones."""
    for name in (*names, *endpoints):
        if name not in declared.destinations:
            raise UsageError(
                f"no destination is called {name}",
                hint=f"platform.yaml has: {', '.join(declared.destinations)}",
            )
    wanted = names or tuple(declared.destinations)
    places = tuple(place_in(declared, name, endpoints.get(name)) for name in wanted)
    if not any(place.role == "backup" for place in places):
        raise UsageError("none of these destinations makes backups of its own: add one that does")
    return Site(
        stanza=declared.stanza,
        cluster=cluster,
        destinations=places,
        engine=engine,
        wal=_wal(declared, {place.name for place in places}),
        schedule=_timetable(declared),
        retention=Keeping(
            days=declared.retention.days,
            monthly=declared.retention.keep.monthly,
            yearly=declared.retention.keep.yearly,
        ),
        targets=RecoveryTargets(
            rto_s=declared.targets.rto.total_seconds(),
            rpo_s=declared.targets.rpo.total_seconds(),
            region_rto_s=declared.targets.region_rto.total_seconds(),
        ),
    )


def place_in(declared: Backup, name: str, moved: Endpoint | None = None) -> Destination:
    """Return a declared destination, where it really is."""
    return _destination(name, declared.destinations[name], moved)


def _destination(name: str, declared: Declared, moved: Endpoint | None) -> Destination:
    place = Destination(
        name=name,
        kind=Kind(declared.type),
        role=declared.role,
        container="",
        endpoint=moved.endpoint if moved else declared.endpoint,
        port=moved.port if moved else declared.port,
        path=declared.path,
        generation=declared.generation,
        ca_file=(moved.ca_file if moved else declared.ca_file) or "",
        credentials=declared.credentials,
        of=declared.of or "",
    )
    if isinstance(declared, AzureDestination):
        place = _at_azure(place, declared)
    else:
        place = _at_s3(place, declared)
    if moved is None:
        return place
    return msgspec.structs.replace(
        place,
        container=moved.container or place.container,
        account=moved.account or place.account,
    )


def _at_azure(place: Destination, declared: AzureDestination) -> Destination:
    return msgspec.structs.replace(place, container=declared.container, account=declared.account)


def _at_s3(place: Destination, declared: S3Destination) -> Destination:
    lock = declared.object_lock
    return msgspec.structs.replace(
        place,
        container=declared.bucket,
        region=declared.region,
        lock_mode=lock.mode if lock else "",
        lock_days=lock.days if lock else 0,
    )


def _wal(declared: Backup, chosen: set[str]) -> WalRules:
    policy = declared.wal.policy
    missing = [name for name in policy.require if name not in chosen]
    if missing:
        raise UsageError(
            f"WAL must reach {', '.join(missing)}, which this home leaves out",
            hint="Choose it too (--destination), or change backup.wal.policy in platform.yaml.",
        )
    return WalRules(
        any=policy.any,
        require=policy.require,
        all=policy.all,
        timeout_s=declared.wal.timeout.total_seconds(),
        queue_max=declared.wal.queue_max,
        when_full=declared.wal.when_full,
        heartbeat_s=declared.wal.heartbeat.total_seconds(),
    )


def _timetable(declared: Backup) -> Timetable:
    plan = declared.schedule
    return Timetable(
        full=plan.full,
        incr=plan.incr,
        verify=plan.verify,
        drill=plan.drill,
        config_every_s=plan.config.total_seconds(),
        tz=str(plan.tz),
    )
