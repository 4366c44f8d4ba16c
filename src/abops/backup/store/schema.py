"""The tables of the catalog. A change needs a migration beside it; a test compares the two."""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)

Wide: Final = BigInteger().with_variant(Integer(), "sqlite")


class Unsigned(TypeDecorator[int]):
    """A number of 64 bits without a sign, as system identifiers are; databases have a sign."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        """Write it as a text."""
        del dialect
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        """Read the number."""
        del dialect
        return None if value is None else int(value)


def _key(*names: str) -> tuple[Column[Any], ...]:
    return tuple(Column(name, Text, primary_key=True) for name in names)


def _required(kind: type[Any] | TypeEngine[Any], *names: str) -> tuple[Column[Any], ...]:
    return tuple(Column(name, kind, nullable=False) for name in names)


def _optional(*names: str) -> tuple[Column[Any], ...]:
    return tuple(Column(name, Float) for name in names)


backup = Table(
    "backup",
    metadata,
    *_key("destination", "generation", "label"),
    *_required(Text, "type", "prior"),
    *_required(Float, "started", "stopped"),
    *_required(Text, "wal_start", "wal_stop", "lsn_start", "lsn_stop"),
    *_required(Wide, "size", "repo_size"),
    *_required(Boolean, "error"),
    *_required(Text, "run", "keep"),
    *_required(Unsigned(), "system_id"),
    *_required(Text, "state"),
)

run = Table(
    "run",
    metadata,
    *_key("id"),
    *_required(Text, "destination", "kind"),
    *_required(Float, "planned"),
    *_required(Text, "reason", "state"),
    *_required(Integer, "attempt"),
    *_required(Float, "started"),
    *_optional("ended"),
    *_required(Text, "label", "error", "holder"),
)
Index("ix_run_planned", run.c.planned)

check = Table(
    "check",
    metadata,
    *_key("id"),
    *_required(Text, "destination", "kind"),
    *_required(Float, "started", "ended"),
    *_required(Text, "outcome"),
    *_required(Integer, "invalid_objects", "gap_segments", "owed_segments"),
    *_required(JSON, "findings"),
)
Index("ix_check_destination", check.c.destination, check.c.ended)

verdict = Table(
    "verdict",
    metadata,
    *_key("destination", "generation", "label"),
    *_required(Boolean, "valid"),
    *_required(Float, "at"),
    *_required(Text, "check_id", "reason"),
)

drill = Table(
    "drill",
    metadata,
    *_key("id"),
    *_required(Text, "destination", "generation", "label", "kind"),
    *_required(Float, "started", "ended"),
    *_required(Text, "outcome"),
    *_optional("target", "rto_s", "rpo_s"),
    *_required(JSON, "phases"),
    *_required(Text, "error"),
)

mirror = Table(
    "mirror",
    metadata,
    *_key("id"),
    *_required(Text, "destination", "source"),
    *_required(Float, "started", "ended"),
    *_required(Text, "outcome", "label"),
    *_required(Wide, "objects", "bytes"),
    *_required(Text, "error"),
)

bundle = Table(
    "bundle",
    metadata,
    *_key("destination", "name"),
    *_required(Float, "made"),
    *_required(Wide, "size"),
    *_required(Text, "sha256", "state", "error"),
)

key = Table(
    "key",
    metadata,
    *_key("destination", "generation"),
    *_required(Float, "made"),
    *_optional("retired"),
)

hold = Table(
    "hold",
    metadata,
    *_key("destination", "generation", "label", "why"),
    *_required(Float, "since"),
    *_optional("until"),
)

listing = Table(
    "listing",
    metadata,
    *_key("destination", "generation", "label"),
    *_required(Float, "at"),
    *_required(JSON, "objects"),
)

lead = Table(
    "lead",
    metadata,
    *_key("name"),
    *_required(Text, "holder"),
    *_required(Integer, "term"),
    *_required(Float, "until"),
)
