"""The first schema of the catalog."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    _create_sets()
    _create_history()
    _create_copies()
    _create_guards()


def _table(name: str, key: tuple[str, ...], *columns: sa.Column[object]) -> None:
    keys = [sa.Column(part, sa.Text(), nullable=False) for part in key]
    op.create_table(name, *keys, *columns, sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")))


def _texts(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _moments(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Float(), nullable=False) for name in names]


def _maybe(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Float(), nullable=True) for name in names]


def _wide(*names: str) -> list[sa.Column[object]]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return [sa.Column(name, kind, nullable=False) for name in names]


def _one(name: str, kind: Any) -> sa.Column[object]:  # noqa: ANN401 - SQLAlchemy's own types differ
    return sa.Column(name, kind, nullable=False)


def _create_sets() -> None:
    of_set = ("destination", "generation", "label")
    _table(
        "backup",
        of_set,
        *_texts("type", "prior"),
        *_moments("started", "stopped"),
        *_texts("wal_start", "wal_stop", "lsn_start", "lsn_stop"),
        *_wide("size", "repo_size"),
        _one("error", sa.Boolean()),
        *_texts("run", "keep", "system_id", "state"),
    )
    _table(
        "verdict",
        of_set,
        _one("valid", sa.Boolean()),
        *_moments("at"),
        *_texts("check_id", "reason"),
    )
    _table("listing", of_set, *_moments("at"), _one("objects", sa.JSON()))
    _table("hold", (*of_set, "why"), *_moments("since"), *_maybe("until"))


def _create_history() -> None:
    _table(
        "run",
        ("id",),
        *_texts("destination", "kind"),
        *_moments("planned"),
        *_texts("reason", "state"),
        _one("attempt", sa.Integer()),
        *_moments("started"),
        *_maybe("ended"),
        *_texts("label", "error", "holder"),
    )
    op.create_index("ix_run_planned", "run", ["planned"])
    _table(
        "check",
        ("id",),
        *_texts("destination", "kind"),
        *_moments("started", "ended"),
        *_texts("outcome"),
        *(
            _one(name, sa.Integer())
            for name in ("invalid_objects", "gap_segments", "owed_segments")
        ),
        _one("findings", sa.JSON()),
    )
    op.create_index("ix_check_destination", "check", ["destination", "ended"])
    _table(
        "drill",
        ("id",),
        *_texts("destination", "generation", "label", "kind"),
        *_moments("started", "ended"),
        *_texts("outcome"),
        *_maybe("target", "rto_s", "rpo_s"),
        _one("phases", sa.JSON()),
        *_texts("error"),
    )


def _create_copies() -> None:
    _table(
        "mirror",
        ("id",),
        *_texts("destination", "source"),
        *_moments("started", "ended"),
        *_texts("outcome", "label"),
        *_wide("objects", "bytes"),
        *_texts("error"),
    )
    _table(
        "bundle",
        ("destination", "name"),
        *_moments("made"),
        *_wide("size"),
        *_texts("sha256", "state", "error"),
    )
    _table("key", ("destination", "generation"), *_moments("made"), *_maybe("retired"))


def _create_guards() -> None:
    _table("lead", ("name",), *_texts("holder"), _one("term", sa.Integer()), *_moments("until"))
