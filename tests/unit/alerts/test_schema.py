from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from abops.alerts.store import database, schema_access, schema_duty, schema_learned
from abops.alerts.store.schema import metadata


def test_the_migrations_lead_to_the_schema(tmp_path: Path) -> None:
    engine = database.open_writer(tmp_path / "alerts.db")
    database.migrate(engine)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert [] == found
    assert {metadata} == {m.metadata for m in (schema_access, schema_duty, schema_learned)}


def test_the_code_is_written_for_the_last_migration() -> None:
    folder = Path(database.__file__).parent / "migrations"
    assert database.HEAD == ScriptDirectory(str(folder)).get_current_head()


def test_a_commit_is_on_disk_before_it_is_answered(tmp_path: Path) -> None:
    engine = database.open_writer(tmp_path / "alerts.db")
    with engine.connect() as connection:
        modes = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    engine.dispose()
    assert ["wal", 2, 5000] == modes
