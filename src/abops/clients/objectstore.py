"""The door to object stores: S3 and Azure by one set of calls.

Where and who are always said: nothing comes from the environment or from files that SDKs read.
Every call ends within its patience. Errors say what to do next, and never hold a secret.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from msgspec import Struct
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, S3Store

from abops.clients.azure_container import AzureContainer
from abops.clients.object_errors import (
    ObjectAbsentError,
    ObjectStoreError,
    StoreDeniedError,
    StoreUnreachableError,
)
from abops.clients.object_place import Keys, Place, Reach, reach
from abops.clients.s3_bucket import S3Bucket
from abops.clients.s3_requests import Key
from abops.kernel.clock import Clock, SystemClock, moment

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Credential

PATIENCE_S: Final = 30.0
PART_BYTES: Final = 8 * 2**20
"""Size of the parts of a large object: with it, what S3 calls the hash can be computed."""


class StoredObject(Struct, frozen=True):
    """An object as a listing tells it."""

    path: str
    size: int
    modified: datetime
    etag: str
    version: str = ""


class Store:
    """One bucket or container. Close nothing: connections end with the process.

    Calls run in threads of ours: the client's own coroutines leave a thread behind that may end
    the process by a signal when it ends right after the answer.
    """

    def __init__(self, place: Place, keys: Keys, *, clock: Clock, patience_s: float) -> None:
        self.name = place.name
        self._at = f"destination {place.name}"
        self._patience_s = patience_s
        at = reach(place, clock, patience_s)
        self._objects: S3Store | AzureStore
        self.bucket: S3Bucket | None = None
        """What S3 offers beyond objects; None for Azure."""
        self._container: AzureContainer | None = None
        if place.kind == "s3":
            self._objects = _s3(at, place.ca_file, keys)
            self.bucket = S3Bucket(at, Key(keys.access_key, keys.secret_key))
        else:
            self._objects = _azure(at, place.ca_file, keys)
            self._container = AzureContainer(at, keys.account_key)

    async def make_container(self, *, lock: bool = False) -> bool:
        """Make the bucket or container; tell whether it was not there."""
        if self.bucket is not None:
            return await self.bucket.make(lock=lock)
        assert self._container is not None  # noqa: S101 - one of the two is always there
        return await self._container.make()

    async def list(self, prefix: str = "") -> tuple[StoredObject, ...]:
        """Return every object below a folder, sorted by path."""
        async with self._answers(prefix):
            found = await asyncio.to_thread(self._listed, prefix.strip("/") or None)
        return tuple(sorted(found, key=lambda one: one.path))

    def _listed(self, prefix: str | None) -> "Sequence[StoredObject]":
        return [_stored(meta) for chunk in obstore.list(self._objects, prefix) for meta in chunk]

    async def head(self, path: str) -> StoredObject:
        """Return what a listing would tell of one object."""
        async with self._answers(path):
            return _stored(await asyncio.to_thread(obstore.head, self._objects, path.lstrip("/")))

    async def get(self, path: str, *, version: str = "") -> bytes:
        """Return an object's content, as it is or as it was in a version."""
        async with self._answers(path):
            return await asyncio.to_thread(self._got, path.lstrip("/"), version)

    def _got(self, path: str, version: str) -> bytes:
        options: GetOptions = {"version": version} if version else {}
        return bytes(obstore.get(self._objects, path, options=options).bytes())

    async def stream(self, path: str, *, version: str = "") -> AsyncIterator[bytes]:
        """Yield an object's content in parts; for what does not fit into memory."""
        async with self._answers(path, patience_s=None):
            answer = await obstore.get_async(
                self._objects,
                path.lstrip("/"),
                options={"version": version} if version else {},
            )
            async for part in answer.stream(min_chunk_size=PART_BYTES):
                yield bytes(part)

    async def put(self, path: str, content: bytes) -> str:
        """Store an object in one piece; return its ETag, for S3 the MD5 of the content."""
        async with self._answers(path):
            done = await asyncio.to_thread(
                obstore.put, self._objects, path.lstrip("/"), content, use_multipart=False
            )
        return (done["e_tag"] or "").strip('"')

    async def put_stream(self, path: str, parts: AsyncIterator[bytes]) -> str:
        """Store an object from parts as they come, PART_BYTES each; return its ETag."""
        async with self._answers(path, patience_s=None):
            done = await obstore.put_async(
                self._objects, path.lstrip("/"), parts, chunk_size=PART_BYTES, max_concurrency=2
            )
        return (done["e_tag"] or "").strip('"')

    async def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; one that is not there is no error."""
        for path in paths:
            try:
                async with self._answers(path):
                    await asyncio.to_thread(obstore.delete, self._objects, path.lstrip("/"))
            except ObjectAbsentError:
                continue

    @asynccontextmanager
    async def _answers(self, path: str, patience_s: float | None = 0.0) -> AsyncIterator[None]:
        """Say what an error of the client means; bound the time."""
        limit = self._patience_s * 2 if patience_s is not None else None
        try:
            async with asyncio.timeout(limit):
                yield
        except FileNotFoundError as error:
            raise ObjectAbsentError(f"{self._at}: {path or 'the bucket'} is not there") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise await self._denied(path) from error
        except TimeoutError as error:
            raise StoreUnreachableError(f"{self._at} did not answer in {limit:.0f} s") from error
        except BaseError as error:
            raise await self._broken(path, str(error)) from error

    async def _denied(self, path: str, why: str = "denied") -> ObjectStoreError:
        skew = None if self.bucket is None else await self.bucket.skew()
        return skew or StoreDeniedError(f"{self._at}: {why} for {path or 'the bucket'}")

    async def _broken(self, path: str, told: str) -> ObjectStoreError:
        """Tell a server that is away from one that answers with an error, by the client's text."""
        found = _CODE.search(told)
        code = found[1] if found else ""
        if code in {"NoSuchBucket", "ContainerNotFound"}:
            return ObjectAbsentError(f"{self._at}: its bucket is not there")
        if _REFUSED.search(told):
            return await self._denied(path, code or "denied")
        if any(word in told for word in _AWAY):
            reason = next((text for word, text in _REASONS.items() if word in told), "")
            return StoreUnreachableError(f"{self._at} did not answer{reason}")
        why = code or told.splitlines()[0][:200]
        return ObjectStoreError(f"{self._at}: {path or 'the bucket'}: {why}")


_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_REFUSED: Final = re.compile(r"status code: 40[13]\b")
_AWAY: Final = ("HttpError", "error sending request", "Connect", "timed out", "TimedOut")
_REASONS: Final = {
    "CertificateExpired": ": its certificate has expired",
    "certificate expired": ": its certificate has expired",
    "UnknownIssuer": ": nobody we trust signed its certificate",
    "NotValidForName": ": its certificate is for another name",
    "InvalidCertificate": ": its certificate is not accepted",
    "ConnectionRefused": ": connection refused",
}


def open_store(
    place: Place,
    keys: Keys,
    *,
    clock: Clock | None = None,
    patience_s: float = PATIENCE_S,
) -> Store:
    """Return the store of a destination; nothing is asked of it yet."""
    return Store(place, keys, clock=clock or SystemClock(), patience_s=patience_s)


def _s3(at: Reach, ca_file: str, keys: Keys) -> S3Store:
    def who() -> "S3Credential":
        # A callback, for a session token of the environment would be added to plain keys.
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "token": None,
            "expires_at": None,
        }

    return S3Store(
        at.container,
        endpoint=at.address,
        region=at.region,
        virtual_hosted_style_request=False,
        skip_signature=False,
        # A bucket with a lock takes an object only with a checksum of its content.
        checksum_algorithm="SHA256",
        credential_provider=who,
        client_options=_client(ca_file, at.patience_s),
        retry_config=_retries(at.patience_s),
    )


def _azure(at: Reach, ca_file: str, keys: Keys) -> AzureStore:
    return AzureStore(
        at.container,
        account_name=at.account,
        account_key=keys.account_key,
        endpoint=at.address,
        skip_signature=False,
        client_options=_client(ca_file, at.patience_s),
        retry_config=_retries(at.patience_s),
    )


def _client(ca_file: str, patience_s: float) -> "ClientConfig":
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=min(5.0, patience_s)),
        "read_timeout": timedelta(seconds=patience_s),
        "timeout": timedelta(hours=6),  # of a whole object; reads are bounded one by one
    }
    if ca_file:
        options["root_certificate"] = Path(ca_file).read_bytes()
    return options


def _retries(patience_s: float) -> "RetryConfig":
    return {"max_retries": 2, "retry_timeout": timedelta(seconds=patience_s)}


def _stored(meta: "ObjectMeta") -> StoredObject:
    return StoredObject(
        path=meta["path"],
        size=meta["size"],
        modified=moment(meta["last_modified"].timestamp()),
        etag=(meta["e_tag"] or "").strip('"'),
        version=meta["version"] or "",
    )
