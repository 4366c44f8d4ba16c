"""What the protection of a database is about, as frozen values.

A `Home` is the folder that holds everything the backup of one PostgreSQL cluster needs on a
machine: who the cluster is, a configuration of the engine for each destination, queues, the
catalog, evidence. `abops backup init` makes it, every other command reads it. It belongs to the
owner of the cluster's files, and as that user everything in it is done.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

BackupType = Literal["full", "incr"]
Outcome = Literal["success", "failed", "missed"]
SEGMENT_BYTES: Final = 16 * 2**20
"""Size of a WAL segment where initdb was told no other."""


class Kind(StrEnum):
    """What an object store speaks."""

    S3 = "s3"
    AZURE = "azure"


class Cluster(Struct, frozen=True):
    """The PostgreSQL cluster that is protected, as this machine reaches it."""

    data: Path
    port: int
    socket: Path
    """Folder of its Unix socket."""
    superuser: str
    programs: Path
    """Folder of its programs: postgres, pg_dump, pg_amcheck."""
    owner: str
    """Whose files they are; the engine runs as this user."""
    database: str = "postgres"
    """Where the heartbeat lives."""


class Destination(Struct, frozen=True):
    """A place that keeps copies. Secrets are not in it: they lie in files of mode 0600."""

    name: str
    kind: Kind
    role: Literal["backup", "mirror"]
    container: str
    """Bucket of S3, container of Azure."""
    endpoint: str
    port: int
    path: str
    generation: str
    """The key generation that backups are made with."""
    next: str = ""
    """The generation that a rotation is bringing in: the log goes there too."""
    region: str = ""
    account: str = ""
    ca_file: str = ""
    credentials: str = ""
    """Name of the file with its keys: `<credentials>.json` among the home's secrets."""
    of: str = ""
    lock_mode: str = ""
    lock_days: int = 0

    @property
    def written(self) -> tuple[str, ...]:
        """The generations that the log goes to."""
        return (self.generation, *([self.next] if self.next else []))

    @property
    def folder(self) -> str:
        """Path of the key generation in the bucket."""
        return f"{self.path}/{self.generation}"


class Home(Struct, frozen=True):
    """The folder of one protected cluster and the places inside it."""

    folder: Path

    @property
    def site(self) -> Path:
        """Cluster, destinations and policy, as JSON."""
        return self.folder / "site.json"

    @property
    def programs(self) -> Path:
        """The client of the archiver, and the engine where its owner cannot reach another."""
        return self.folder / "bin"

    @property
    def catalog(self) -> Path:
        """The database of what was made, checked, restored."""
        return self.folder / "catalog.sqlite"

    @property
    def secrets(self) -> Path:
        """Credentials and passphrases, one file each, 0600."""
        return self.folder / "secrets"

    @property
    def password_file(self) -> Path:
        """Password of the superuser in libpq's form, where the socket asks for one."""
        return self.secrets / "pgpass"

    def credentials(self, name: str) -> Path:
        """Keys of an object store: JSON with access_key and secret_key, or account_key."""
        return self.secrets / f"{name}.json"

    def passphrase(self, destination: str, generation: str) -> Path:
        """What a destination's copies of a key generation are encrypted with."""
        return self.secrets / f"{destination}.{generation}.pass"

    @property
    def recipients(self) -> Path:
        """Public keys of those who can open the bundles of configuration."""
        return self.folder / "recipients.json"

    @property
    def identity(self) -> Path:
        """The machine's own key for those bundles."""
        return self.secrets / "bundle.key"

    @property
    def drills(self) -> Path:
        """Evidence of restore drills: `<id>.json` and `<id>.md`."""
        return self.folder / "drills"

    @property
    def socket(self) -> Path:
        """Where the WAL archiver listens."""
        return self.folder / "wal.sock"

    def engine(self, destination: str, generation: str) -> Path:
        """The engine's configuration for a destination."""
        return self.folder / f"{destination}.{generation}.conf"

    def work(self, destination: str) -> Path:
        """The engine's own folders (lock, spool, log) for a destination."""
        return self.folder / "engine" / destination


class WalRules(Struct, frozen=True, kw_only=True):
    """When a WAL segment counts as kept, and what happens while a destination is away."""

    any: int | None = 1
    require: tuple[str, ...] = ()
    all: bool = False
    timeout_s: float = 3.0
    queue_max: int = 20 * 2**30
    when_full: Literal["refuse", "drop"] = "refuse"
    heartbeat_s: float = 15.0


class Timetable(Struct, frozen=True, kw_only=True):
    """When what is done, in the words of platform.yaml: `sun 01:00`, `05:00`, `6h`."""

    full: str = "sun 01:00"
    incr: str = "01:00"
    verify: str = "05:00"
    drill: str = "03:00"
    config_every_s: float = 3_600.0
    tz: str = "UTC"
    retry_after_s: tuple[float, ...] = (60.0, 300.0, 1_500.0)
    """A run that failed is tried again after these; then it waits for its next time."""


class Keeping(Struct, frozen=True, kw_only=True):
    """How long a point in time can be returned to."""

    days: int = 30
    monthly: int = 0
    yearly: int = 0


class RecoveryTargets(Struct, frozen=True, kw_only=True):
    """What a recovery may cost, in seconds."""

    rto_s: float = 3_600.0
    rpo_s: float = 300.0
    region_rto_s: float = 7_200.0


class Shift(Struct, frozen=True, kw_only=True):
    """A failover that stands: who leads instead, and on whom nobody counts meanwhile."""

    primary: str
    before: str
    """Who led before, and does again after the failback."""
    at: float
    away: dict[str, float] = {}
    """Destinations that were given up, each with since when; seconds since 1970."""


class Site(Struct, frozen=True, kw_only=True):
    """What is protected, where copies go, by which rules: the home's site.json."""

    stanza: str
    cluster: Cluster
    destinations: tuple[Destination, ...]
    engine: Path
    """The engine's program, where the owner can reach it."""
    wal: WalRules = WalRules()
    schedule: Timetable = Timetable()
    retention: Keeping = Keeping()
    targets: RecoveryTargets = RecoveryTargets()
    shift: Shift | None = None
    """None: as the inventory declares it."""

    @property
    def away(self) -> frozenset[str]:
        """The destinations that a failover gave up."""
        return frozenset(self.shift.away if self.shift else ())

    @property
    def lead(self) -> str:
        """The destination that is asked first; without a failover the first that is declared."""
        if self.shift is not None:
            return self.shift.primary
        return next(place.name for place in self.destinations if place.role == "backup")

    @property
    def ordered(self) -> tuple[Destination, ...]:
        """The destinations as they are asked: who leads, the others, mirrors, who is away."""
        places = self.destinations
        return tuple(
            sorted(
                places,
                key=lambda one: (
                    one.name in self.away,
                    one.role != "backup",
                    one.name != self.lead,
                ),
            )
        )

    @property
    def sources(self) -> tuple[Destination, ...]:
        """The destinations that make backups of their own."""
        return tuple(place for place in self.ordered if place.role == "backup")

    @property
    def present(self) -> tuple[Destination, ...]:
        """Those of them that are not away."""
        return tuple(place for place in self.sources if place.name not in self.away)

    @property
    def log_rules(self) -> WalRules:
        """The rules of the log as they hold now: nobody waits for who is away."""
        rules, away = self.wal, self.away
        if not away:
            return rules
        here = tuple(place.name for place in self.present)
        if rules.all:
            return replace(rules, all=False, any=None, require=here)
        if rules.require:
            left = tuple(name for name in rules.require if name not in away)
            return replace(rules, require=left or (self.lead,))
        return replace(rules, any=min(rules.any or 1, len(here)))


class SegmentName(Struct, frozen=True, order=True):
    """A WAL segment by timeline and position, as its file name writes it."""

    timeline: int
    number: int
    """Log number times segments per log, plus the segment: consecutive for consecutive ones."""

    @classmethod
    def of(cls, name: str, segment_bytes: int = SEGMENT_BYTES) -> "SegmentName":
        """Read the 24 digits of a file name: timeline, log, segment."""
        per_log = 2**32 // segment_bytes
        return cls(int(name[:8], 16), int(name[8:16], 16) * per_log + int(name[16:24], 16))

    def file_name(self, segment_bytes: int = SEGMENT_BYTES) -> str:
        """Return the name that PostgreSQL gives its file."""
        log, segment = divmod(self.number, 2**32 // segment_bytes)
        return f"{self.timeline:08X}{log:08X}{segment:08X}"


class SetFacts(Struct, frozen=True, kw_only=True):
    """One backup as its destination's own `info` tells it."""

    destination: str
    generation: str
    label: str
    type: BackupType
    prior: str = ""
    """Label of the backup that it builds on."""
    started: float
    stopped: float
    """Seconds since the epoch."""
    wal_start: str
    wal_stop: str
    lsn_start: str
    lsn_stop: str
    size: int
    """Bytes of the cluster."""
    repo_size: int
    """Bytes stored for it."""
    error: bool = False
    """A page checksum failed while it was made."""
    run: str = ""
    """Id of the planned run that made it, from its annotation."""
    keep: str = ""
    """Name under which somebody asked to keep it, from its annotation."""
    system_id: int = 0
