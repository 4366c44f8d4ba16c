"""Bringing a schema up by Alembic, which is loaded only where there is something to do."""

import importlib
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text


def revision_of(connection: Connection) -> str | None:
    """Return the revision that the database is at; None when it has no schema of ours."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def upgrade(connection: Connection, scripts: Path) -> None:
    """Run the migrations of a folder up to the newest, on this connection."""
    command: Any = importlib.import_module("alembic.command")
    config = importlib.import_module("alembic.config").Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
