"""How the database is protected: where copies go, how often, how long, how fast they return."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from abops.inventory.values import WEEKDAYS, Duration, Model, Name, Port, Size, Zone

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"


def _weekly(text: str) -> str:
    day, _, clock = text.partition(" ")
    if clock and day not in WEEKDAYS:
        raise ValueError(f"{day!r} is no day; write one of {', '.join(WEEKDAYS)}")
    return text


_EVERY = r"[1-9]\d*[smhd]"
Weekly = Annotated[str, Field(pattern=rf"^(\w+ {_CLOCK}|{_EVERY})$"), AfterValidator(_weekly)]
Daily = Annotated[str, Field(pattern=rf"^({_CLOCK}|{_EVERY})$")]


class ObjectLock(Model):
    """For how long nobody, whatever his credentials, can delete or change an object."""

    mode: Literal["COMPLIANCE", "GOVERNANCE"] = "COMPLIANCE"
    days: Annotated[int, Field(ge=1)]


class _Destination(Model):
    """A place that keeps copies: one bucket or container, in one region."""

    role: Literal["backup", "mirror"] = "backup"
    """A backup makes copies of its own from the database; a mirror copies another's objects."""
    of: Name | None = None
    """The destination that a mirror copies."""
    endpoint: str
    """Host that answers, without scheme."""
    port: Port = 443
    ca_file: str | None = None
    """Certificate of the authority that signed the endpoint's, where the machine has it not."""
    path: Annotated[str, Field(pattern=r"^/[\w./-]+$")] = "/analyticbot"
    """Folder in the bucket; each key generation has one below it."""
    credentials: Name
    """Name of the secret: file `<name>.json` in the folder of secrets."""
    generation: Annotated[str, Field(pattern=r"^g[1-9]\d*$")] = "g1"
    """Which key generation new backups are made with."""

    @model_validator(mode="after")
    def _names_its_source(self) -> Self:
        if (self.role == "mirror") is (self.of is None):
            raise ValueError("a mirror names the destination that it copies (`of`), others do not")
        return self


class S3Destination(_Destination):
    """A bucket that speaks S3."""

    type: Literal["s3"]
    bucket: str
    region: str
    object_lock: ObjectLock | None = None

    @model_validator(mode="after")
    def _locks_mirrors_only(self) -> Self:
        if self.object_lock is not None and self.role != "mirror":
            raise ValueError("object lock is for mirrors: the engine overwrites its info files")
        return self


class AzureDestination(_Destination):
    """A container of Azure's blob storage."""

    type: Literal["azure"]
    account: str
    container: str


Destination = Annotated[S3Destination | AzureDestination, Field(discriminator="type")]


class WalPolicy(Model):
    """When a WAL segment counts as kept."""

    any: Annotated[int, Field(ge=1)] | None = None
    """This many destinations have it, no matter which."""
    require: tuple[Name, ...] = ()
    """Each of these has it."""
    all: bool = False
    """Each destination has it."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.any is not None) + bool(self.require) + self.all != 1:
            raise ValueError("say exactly one of `any`, `require`, `all`")
        return self


class Wal(Model):
    """How write-ahead log leaves the machine."""

    policy: WalPolicy = WalPolicy(any=1)
    timeout: Duration = timedelta(seconds=3)
    """Time a destination has before its copy is owed instead."""
    queue_max: Size = 20 * 2**30
    """Most bytes that may be owed to destinations which do not answer."""
    when_full: Literal["refuse", "drop"] = "refuse"
    """Refuse: PostgreSQL keeps its log. Drop: the dead destination loses it, a recorded gap."""
    heartbeat: Duration = timedelta(seconds=15)
    """Time between two marks in the database, by which a restore measures what it lost."""


class Schedule(Model):
    """When what is done, at a time or every so often (`6h`); what was missed starts when it can."""

    full: Weekly = "sun 01:00"
    incr: Daily = "01:00"
    verify: Daily = "05:00"
    drill: Daily = "03:00"
    config: Duration = timedelta(hours=1)
    tz: Zone = "UTC"


class Kept(Model):
    """Full backups kept beyond the days of retention."""

    monthly: Annotated[int, Field(ge=0)] = 0
    yearly: Annotated[int, Field(ge=0)] = 0


class Retention(Model):
    """How long a point in time can be returned to."""

    days: Annotated[int, Field(ge=1)] = 30
    keep: Kept = Kept()


class Targets(Model):
    """What a recovery may cost: time without service, and work lost."""

    rto: Duration = timedelta(hours=1)
    rpo: Duration = timedelta(minutes=5)
    region_rto: Duration = timedelta(hours=2)
    """Time without service when a whole region is lost."""


class Backup(Model):
    """The protection of one PostgreSQL cluster."""

    store: Name
    """Name of the data store."""
    stanza: Name = "main"
    destinations: Annotated[dict[Name, Destination], Field(min_length=1)]
    wal: Wal = Wal()
    schedule: Schedule = Schedule()
    retention: Retention = Retention()
    targets: Targets = Targets()

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the destinations that make backups of their own, in the file's order."""
        return tuple(name for name, place in self.destinations.items() if place.role == "backup")
