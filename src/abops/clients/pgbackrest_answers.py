"""What pgBackRest says, as frozen values: what a version can do, what a repository holds."""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from abops.kernel.errors import OpsError

TIMED_OUT: Final = -1
"""Code of an answer that did not come in time."""
_SHOWN = 4_000
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_CODE = re.compile(r"ERROR: \[(\d{3})\]: ?(.*)")
_NEWEST_POSTGRES = (((2, 58), 18), ((2, 54), 17), ((2, 48), 16), ((2, 0), 15))


class EngineError(OpsError):
    """The backup engine did not do what it was asked."""

    hint = "abops backup doctor looks at what the engine needs."


class EngineMissingError(EngineError):
    """The backup engine cannot be started."""

    hint = "Install it: abops tools install pgbackrest"


class EngineAnswerError(EngineError):
    """The backup engine answered with something that cannot be read."""


class Answer(msgspec.Struct, frozen=True):
    """How a call of the engine ended."""

    code: int
    output: str
    errors: str
    """What it complained about: without secrets, without what cannot be printed."""
    seconds: float
    at: float = 0.0
    """When it ended by our clock, seconds since 1970: refusals can be about the clock."""

    @property
    def timed_out(self) -> bool:
        """Tell whether it was killed at its deadline."""
        return self.code == TIMED_OUT

    @property
    def fault(self) -> tuple[int, str]:
        """The first error that it named, with its own number; the exit code without one."""
        found = _CODE.search(self.errors)
        if found is None:
            return self.code, self.errors.strip().partition("\n")[0]
        return int(found[1]), found[2].strip()


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What this version can do. Nothing else compares versions."""

    version: str
    usable: bool
    """Old enough to lack what we need when false."""
    advised: bool
    block_incremental: bool
    block_by_beta_flag: bool
    """Blocks are asked for by two flags of `backup`; a configuration with them is refused."""
    verify_trusted: bool
    """Its `verify` reports no missing blocks that are there."""
    verifies_one_set: bool
    compares_addresses: bool
    """TLS certificates may name an address."""
    target_time: bool
    """It reads a bucket as it was at a time (`repo-target-time`)."""
    managed_identity: bool
    expire_checks_host: bool
    root_allowed: bool
    newest_postgres: int


class Entry(msgspec.Struct, frozen=True):
    """A file or folder of a repository."""

    path: str
    kind: str
    size: int = 0
    time: int = 0


class Status(msgspec.Struct, frozen=True):
    """How a stanza or repository is: 0 is well, 99 is an error in `message`."""

    code: int = 99
    message: str = ""


class Span(msgspec.Struct, frozen=True):
    """From the one to the other: WAL segments, LSNs or times."""

    start: Any = None
    stop: Any = None


class Stored(msgspec.Struct, frozen=True):
    """Bytes in the repository: of this backup alone, and of all it builds on."""

    delta: int = 0
    size: int | None = None


class Sizes(msgspec.Struct, frozen=True):
    """Bytes of the cluster, bytes copied, bytes stored."""

    size: int = 0
    delta: int = 0
    repository: Stored = Stored()


class DatabaseKey(msgspec.Struct, frozen=True):
    """Which database of a stanza's history something belongs to."""

    id: int = 1


class Backup(msgspec.Struct, frozen=True):
    """One backup as `info` prints it."""

    label: str
    type: str
    archive: Span = Span()
    lsn: Span = Span()
    timestamp: Span = Span()
    info: Sizes = Sizes()
    database: DatabaseKey = DatabaseKey()
    prior: str | None = None
    error: bool | None = None
    annotation: dict[str, str] = {}


class Database(msgspec.Struct, frozen=True, rename="kebab"):
    """One database of a stanza's history."""

    id: int = 1
    system_id: int = 0
    version: str = ""


class Archive(msgspec.Struct, frozen=True):
    """WAL that is kept for one database."""

    id: str = ""
    min: str | None = None
    max: str | None = None
    database: DatabaseKey = DatabaseKey()


class Repository(msgspec.Struct, frozen=True):
    """How the one repository is."""

    cipher: str = ""
    status: Status = Status()


class Info(msgspec.Struct, frozen=True):
    """What a repository says about a stanza."""

    name: str
    status: Status = Status()
    backup: tuple[Backup, ...] = ()
    archive: tuple[Archive, ...] = ()
    db: tuple[Database, ...] = ()
    repo: tuple[Repository, ...] = ()
    asked: float = 0.0
    """When it answered by our clock."""


def capabilities_of(text: str) -> Capabilities:
    """Return what the version in `pgbackrest version`'s line can do."""
    found = _VERSION.search(text)
    if found is None:
        raise EngineAnswerError(f"no version in {text.strip()[:80]!r}")
    version = (int(found[1]), int(found[2]))
    return Capabilities(
        version=found[0],
        usable=version >= (2, 45),
        advised=version >= (2, 52),
        block_incremental=version >= (2, 45),
        block_by_beta_flag=version == (2, 45),
        verify_trusted=version >= (2, 47),
        verifies_one_set=version >= (2, 55),
        compares_addresses=version >= (2, 53),
        target_time=version >= (2, 54),
        managed_identity=version >= (2, 58),
        expire_checks_host=version >= (2, 59),
        root_allowed=version < (2, 59),
        newest_postgres=next(newest for since, newest in _NEWEST_POSTGRES if version >= since),
    )


def read_info(text: str, stanza: str, secrets: Sequence[str] = ()) -> Info:
    """Read what `info --output=json` printed; of a missing stanza the status says so."""
    # A wrong passphrase puts what could not be decrypted into the message, byte for byte.
    readable = "".join(max(c, " ") for c in text)
    try:
        stanzas = msgspec.json.decode(readable, type=tuple[Info, ...])
    except msgspec.MsgspecError as error:
        raise EngineAnswerError(f"info of {stanza}: {error}") from error
    for info in stanzas:
        if info.name == stanza:
            # The stanza's own status says only that something is wrong with its repository.
            inner = next((repo.status for repo in info.repo if repo.status.code != 0), info.status)
            message = clean(inner.message.encode(), secrets)
            return msgspec.structs.replace(info, status=Status(inner.code, message))
    return Info(stanza, Status(1, "missing stanza path"))


def clean(raw: bytes, secrets: Sequence[str]) -> str:
    """Return what can be printed of the engine's words, without secrets, at a bearable length."""
    text = raw.decode(errors="replace")
    for secret in secrets:
        text = text.replace(secret, "<redacted>")
    lines = (
        "".join(c if c.isprintable() and c != "\ufffd" else "·" for c in line)
        for line in text.splitlines()
    )
    kept = [re.sub("·{3,}", "···", line).rstrip() for line in lines]
    return "\n".join(line for line in kept if line)[:_SHOWN]
