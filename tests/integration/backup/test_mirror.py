"""A mirror with a lock: copied once verified, restored from, and not to be deleted."""

import asyncio
import json
import secrets
import tempfile
from pathlib import Path

import msgspec
import pytest

from abops.backup.model import Destination
from abops.backup.postgres.credentials import credentials_of
from abops.backup.postgres.site import save_site
from abops.clients.object_errors import StoreDeniedError
from abops.clients.objectstore import Store, open_store
from support.backup import Protected, give_to_owner, run_as_owner


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
    moment = protected.database.sql(
        "SELECT to_char(now() at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS')"
    )
    protected.database.sql("SELECT pg_sleep(1.1)")
    assert vault.bucket is not None
    await vault.delete([one.path for one in await vault.list()])
    assert () == await vault.list()
    version = next(one for one in await vault.bucket.versions("analyticbot") if not one.deleted)
    with pytest.raises(StoreDeniedError):
        await vault.bucket.delete_version(version.path, version.version)
    await asyncio.to_thread(_restore, protected, moment)


def _restore(protected: Protected, moment: str) -> None:
    with tempfile.TemporaryDirectory(prefix="abops-vault-") as name:
        target = Path(name) / "data"
        Path(name).chmod(0o755)
        target.mkdir(mode=0o700)
        give_to_owner(target)
        config = protected.home.engine("vault", "g1")
        words = (config, protected.site.stanza, "restore", f"--pg1-path={target}")
        options = (
            "--repo=1",
            f"--repo-target-time={moment}+00",
            "--type=immediate",
            "--archive-mode=off",
        )
        answer = asyncio.run(protected.engine.run(*words, *options))
        assert 0 == answer.code, answer.errors
        run_as_owner("stat", target / "PG_VERSION", target / "global" / "pg_control")
