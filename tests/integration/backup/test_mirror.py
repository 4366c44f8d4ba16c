"""A mirror with a lock: copied once verified, restored from, and not to be deleted."""

import asyncio
import json
import re
import secrets
import shutil
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from abops.backup.drill.fingerprints import Fingerprints, take
from abops.backup.model import Destination
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.site import save_site
from abops.clients.object_errors import StoreDeniedError
from abops.clients.objectstore import Store, open_store
from abops.clients.postgres_session import SocketAddress
from support.backup import SUPERUSER, Protected, give_to_owner, run_as_owner


def _vault(protected: Protected) -> Destination:
    """Return a mirror of eu in the region us, with a lock, as part of the site."""
    vault = msgspec.structs.replace(
        protected.destination("us"),
        name="vault",
        role="mirror",
        of="eu",
        container=f"vault-{secrets.token_hex(4)}",
        lock_mode="COMPLIANCE",
        lock_days=1,
    )
    site = protected.site
    save_site(
        protected.home, msgspec.structs.replace(site, destinations=(*site.destinations, vault))
    )
    give_to_owner(protected.home.folder)
    return vault


async def _lock(store: Store) -> None:
    await store.make_container(lock=True)
    assert store.bucket is not None
    await store.bucket.keep_versions()
    await store.bucket.lock("COMPLIANCE", 1)


def _store(protected: Protected, place: Destination) -> Store:
    return open_store(place, credentials_of(protected.home, place))


@pytest.fixture(scope="module")
def vault(protected: Protected) -> Store:
    store = _store(protected, _vault(protected))
    asyncio.run(_lock(store))
    protected.database.fill()
    protected.database.sql("CREATE TABLE marker AS SELECT 42 AS answer")
    done = protected.abops("run", "--to", "eu", "--type", "full")
    assert 0 == done.returncode, done.stderr
    return store


async def test_only_what_was_verified_is_copied_and_restores(
    protected: Protected, vault: Store
) -> None:
    early = protected.abops("mirror")
    assert 1 == early.returncode
    assert "was not verified" in early.stderr
    assert () == await vault.list("analyticbot/g1")
    verified = protected.abops("verify", "--to", "eu")
    assert 0 == verified.returncode, verified.stderr + verified.stdout
    done = protected.abops("mirror", "--output", "json")
    assert 0 == done.returncode, done.stderr
    (row,) = json.loads(done.stdout)
    source = await _store(protected, protected.destination("eu")).list("analyticbot/g1")
    copy = await vault.list("analyticbot/g1")
    assert [(one.path, one.size) for one in source] == [(one.path, one.size) for one in copy]
    assert len(source) == row["objects"]
    again = json.loads(protected.abops("mirror", "--output", "json").stdout)
    assert row["objects"] > again[0]["objects"] + 1
    assert again[0]["unchanged"] > 0


async def test_leaked_keys_delete_everything_and_the_state_before_is_restored(
    protected: Protected, vault: Store
) -> None:
    expected = {name: one for name, one in _tables(protected).items() if ": abops." not in name}
    moment = datetime.fromisoformat(protected.database.sql("SELECT now()"))
    # Stores count whole seconds.
    protected.database.sql("SELECT pg_sleep(1.1)")
    assert vault.bucket is not None
    everywhere = [vault, *(_store(protected, protected.destination(n)) for n in ("eu", "us"))]
    for store in everywhere:
        await store.delete([one.path for one in await store.list()])
        assert () == await store.list()
    version = next(one for one in await vault.bucket.versions("analyticbot") if not one.deleted)
    with pytest.raises(StoreDeniedError):
        await vault.bucket.delete_version(version.path, version.version)
    found = await asyncio.to_thread(_restored, protected, moment)
    assert expected == {name: found.get(name) for name in expected}


def _tables(protected: Protected, folder: Path | None = None, port: int = 0) -> Fingerprints:
    at = SocketAddress(
        folder=folder or protected.database.socket,
        port=port or protected.database.port,
        user=SUPERUSER,
    )
    return take(at, "postgres")


def _restored(protected: Protected, moment: datetime) -> Fingerprints:
    """Restore what the vault held at a moment, start it, and return what it holds."""
    target = protected.database.folder / "data.vault"
    words = ("restore", "--to-dir", target, "--start")
    now = protected.abops(*words, "--from", "vault")
    assert 1 == now.returncode
    assert not target.exists()
    done = protected.abops(*words, "--at-state", moment.isoformat())
    assert 0 == done.returncode, done.stderr + done.stdout
    assert "vault" in done.stdout
    started = re.search(r"psql -h (\S+) -p (\d+)", done.stderr)
    assert started is not None
    programs = protected.site.cluster.programs
    try:
        return _tables(protected, Path(started[1]), int(started[2]))
    finally:
        run_as_owner(programs / "pg_ctl", "-D", target, "-m", "immediate", "stop")
        shutil.rmtree(target)
        shutil.rmtree(started[1])
