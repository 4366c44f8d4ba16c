"""The door to object stores against a real region: what it does, and how it says what is wrong."""

from datetime import datetime, timedelta

import msgspec
import pytest

from abops.backup.postgres.credentials import Credentials, credentials_of
from abops.clients.object_errors import (
    ClockSkewError,
    ObjectAbsentError,
    StoreDeniedError,
    StoreUnreachableError,
)
from abops.clients.objectstore import PART_BYTES, Store, open_store
from abops.kernel.clock import SystemClock
from support.backup import Protected
from support.servers import free_port


class _FastClock(SystemClock):
    def now(self) -> datetime:
        return super().now() + timedelta(minutes=20)


def _store(protected: Protected) -> Store:
    place = protected.destination("us")
    return open_store(place, credentials_of(protected.home, place))


async def test_what_is_put_is_listed_and_comes_back(protected: Protected) -> None:
    store = _store(protected)
    large = bytes(range(256)) * (PART_BYTES // 256) + b"tail"
    await store.put("trial/a b", b"small")

    async def parts():  # type: ignore[no-untyped-def]  # noqa: ANN202
        yield large[:PART_BYTES]
        yield large[PART_BYTES:]

    await store.put_stream("trial/large", parts())
    assert [("trial/a b", 5), ("trial/large", len(large))] == [
        (one.path, one.size) for one in await store.list("trial")
    ]
    assert large == b"".join([part async for part in store.stream("trial/large")])
    await store.delete(["trial/a b", "trial/large", "trial/never"])
    assert () == await store.list("trial")
    with pytest.raises(ObjectAbsentError):
        await store.get("trial/a b")


async def test_each_fault_has_its_name_and_no_secret(
    protected: Protected, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = protected.destination("us")
    keys = credentials_of(protected.home, place)
    # What SDKs would take from the environment is not looked at.
    monkeypatch.setenv("AWS_SESSION_TOKEN", "nothing")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    wrong = Credentials(access_key=keys.access_key, secret_key="wrong-" + keys.secret_key)
    with pytest.raises(StoreDeniedError, match="SignatureDoesNotMatch") as denied:
        await open_store(place, wrong).list()
    assert keys.secret_key not in str(denied.value)
    closed = msgspec.structs.replace(place, port=free_port())
    with pytest.raises(StoreUnreachableError, match="refused"):
        await open_store(closed, keys, patience_s=2).list()
    untrusted = msgspec.structs.replace(place, ca_file="")
    with pytest.raises(StoreUnreachableError, match="nobody we trust"):
        await open_store(untrusted, keys, patience_s=2).list()
    elsewhere = msgspec.structs.replace(place, container="not-there")
    with pytest.raises(ObjectAbsentError, match="bucket"):
        await open_store(elsewhere, keys).list()
    fast = open_store(place, keys, clock=_FastClock())
    assert fast.bucket is not None
    with pytest.raises(ClockSkewError, match=r"20\.0 min ahead"):
        await fast.bucket.probe()
    assert keys.secret_key not in repr(keys)
