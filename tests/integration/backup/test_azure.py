"""Azure beside S3: the same commands, the same claims, and a mirror from the one to the other."""

import asyncio
import base64
import json
import secrets
from collections.abc import Iterator

import msgspec
import pytest

from abops.backup.postgres.credentials import Credentials, credentials_of
from abops.backup.postgres.site import save_site
from abops.clients.object_errors import (
    ObjectAbsentError,
    StoreDeniedError,
    StoreUnreachableError,
)
from abops.clients.objectstore import PART_BYTES, Store, open_store
from support.azure import AzureServer
from support.backup import Protected, RegionServer, give_to_owner, protect
from support.restoring import ACCOUNTS, restored
from support.servers import free_port
from support.wal import Archiver, archiving


@pytest.fixture(scope="module")
def archiver(regions: dict[str, RegionServer], azure: AzureServer) -> Iterator[Archiver]:
    """A database with a full set in one region and in Azure, its log by the archiver."""
    regions["eu"].ensure()
    beside = {"azure": azure}
    with protect(regions, names=("eu", "azure"), beside=beside) as one, archiving(one) as archiver:
        one.database.fill()
        full = one.abops("run", "--type", "full")
        assert 0 == full.returncode, full.stderr
        yield archiver


def _store(protected: Protected, **changes: object) -> Store:
    place = protected.destination("azure")
    keys = credentials_of(protected.home, place)
    return open_store(msgspec.structs.replace(place, **changes), keys)


def test_increment_log_and_a_restore_that_compares_equal(archiver: Archiver) -> None:
    protected = archiver.protected
    database = protected.database
    database.sql("UPDATE pgbench_accounts SET abalance = aid WHERE aid % 50 = 0")
    incr = protected.abops("run", "--output", "json")
    assert 0 == incr.returncode, incr.stderr
    made = {one["destination"]: one for one in json.loads(incr.stdout)}
    assert {"eu": "incr", "azure": "incr"} == {name: one["type"] for name, one in made.items()}
    names = archiver.make_segments(2)
    archiver.compare("azure", names)
    expected = database.sql(ACCOUNTS)
    verified = protected.abops("verify", "--deep", "--output", "json")
    assert 0 == verified.returncode, verified.stdout + verified.stderr
    found = {one["destination"]: one["findings"] for one in json.loads(verified.stdout)}
    assert {"eu": [], "azure": []} == found
    assert expected == restored(protected, ACCOUNTS, "--from", "azure")


async def test_the_store_itself_and_how_it_says_what_is_wrong(archiver: Archiver) -> None:
    protected = archiver.protected
    store = _store(protected)
    large = bytes(range(256)) * (PART_BYTES // 256) + b"tail"

    async def parts():  # type: ignore[no-untyped-def]  # noqa: ANN202
        yield large[:PART_BYTES]
        yield large[PART_BYTES:]

    await store.put("trial/a b", b"small")
    await store.put_stream("trial/large", parts())
    listed = [(one.path, one.size) for one in await store.list("trial")]
    assert [("trial/a b", 5), ("trial/large", len(large))] == listed
    assert large == b"".join([part async for part in store.stream("trial/large")])
    assert not await store.make_container()
    await store.delete(["trial/a b", "trial/large", "trial/never"])
    with pytest.raises(ObjectAbsentError, match="trial/a b is not there"):
        await store.get("trial/a b")
    with pytest.raises(ObjectAbsentError, match="bucket"):
        await _store(protected, container="not-there").list()
    place = protected.destination("azure")
    wrong = Credentials(account_key=base64.b64encode(b"w" * 32).decode())
    with pytest.raises(StoreDeniedError):
        await open_store(place, wrong).list()
    with pytest.raises(StoreUnreachableError, match="refused"):
        await _store(protected, port=free_port()).list()


def test_a_mirror_of_a_region_in_azure_restores_with_the_passphrase_of_the_region(
    archiver: Archiver,
) -> None:
    protected = archiver.protected
    vault = msgspec.structs.replace(
        protected.destination("azure"),
        name="vault",
        role="mirror",
        of="eu",
        container=f"vault-{secrets.token_hex(4)}",
    )
    site = protected.site
    keep = msgspec.structs.replace(site, destinations=(*site.destinations, vault))
    save_site(protected.home, keep)
    give_to_owner(protected.home.folder)
    asyncio.run(open_store(vault, credentials_of(protected.home, vault)).make_container())
    verified = protected.abops("verify", "--to", "eu")
    assert 0 == verified.returncode, verified.stdout + verified.stderr
    done = protected.abops("mirror", "--output", "json")
    assert 0 == done.returncode, done.stderr
    assert 0 < json.loads(done.stdout)[0]["objects"]
    expected = protected.database.sql(ACCOUNTS)
    assert expected == restored(protected, ACCOUNTS, "--from", "vault")
