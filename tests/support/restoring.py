"""Restoring as a person would, and asking what came back."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.backup import SUPERUSER, Protected, clients, give_to_owner, run_as_owner

ACCOUNTS = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM pgbench_accounts t"
"""What tells one state of pgbench's accounts from another."""


@contextmanager
def new_place() -> Iterator[Path]:
    """Name a folder that is not there yet, where the database's owner may make it."""
    folder = Path(tempfile.mkdtemp(prefix="abops-new-"))
    give_to_owner(folder)
    try:
        yield folder / "data"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restored(protected: Protected, statement: str, *words: str) -> str:
    """Restore (`words` say from where and to which point); return what the statement gives."""
    with new_place() as place:
        done = protected.abops("restore", "--to-dir", place, "--start", *words)
        assert 0 == done.returncode, done.stderr
        address = (place / "postmaster.pid").read_text().splitlines()[4]
        try:
            psql = [clients() / "psql", "-X", "-h", address, "-p", "5432", "-U", SUPERUSER]
            return run_as_owner(*psql, "-d", "postgres", "-Atc", statement).strip()
        finally:
            run_as_owner(protected.database.programs / "pg_ctl", "-D", place, "-m", "fast", "stop")
