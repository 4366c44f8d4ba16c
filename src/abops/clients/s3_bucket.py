"""A bucket as such: made, versioned, locked; and what its objects were before."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final
from xml.etree import ElementTree as ET

import httpx2
from msgspec import Struct

from abops.clients.object_errors import (
    ClockSkewError,
    ObjectAbsentError,
    ObjectStoreError,
    StoreDeniedError,
    StoreUnreachableError,
)
from abops.clients.object_place import Reach
from abops.clients.s3_requests import Key, Request, canonical_query, signed
from abops.kernel.clock import Clock

SKEW_LIMIT_S: Final = 300
_NAMESPACE: Final = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_THERE_ALREADY: Final = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


class ObjectVersion(Struct, frozen=True):
    """What an object was since a moment; `deleted` when since then it was none."""

    path: str
    version: str
    modified: datetime
    size: int
    etag: str
    latest: bool
    deleted: bool


class S3Bucket:
    """One bucket, addressed by path, as whoever has the key."""

    def __init__(self, at: Reach, key: Key) -> None:
        self._at = at
        self._key = key

    async def make(self, *, lock: bool = False) -> bool:
        """Make the bucket; tell whether it was not there. A lock can be given at this time only."""
        headers = {"x-amz-bucket-object-lock-enabled": "true"} if lock else {}
        # Outside this region a bucket must name where it is to be.
        body = b"" if self._at.region == "us-east-1" else _located(self._at.region)
        answer = await self._send("PUT", "", {}, body, headers)
        if answer.is_success:
            return True
        if _code(answer) in _THERE_ALREADY:
            return False
        raise await self._explained(answer)

    async def keep_versions(self) -> None:
        """Keep what an object was when it is overwritten or deleted."""
        await self._ask("PUT", query={"versioning": ""}, body=_setting("Versioning", _ENABLED))

    async def lock(self, mode: str, days: int) -> None:
        """Lock every new version for some days: in COMPLIANCE, nobody deletes it before."""
        rule = f"<DefaultRetention><Mode>{mode}</Mode><Days>{days}</Days></DefaultRetention>"
        text = f"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>{rule}</Rule>"
        await self._ask("PUT", query={"object-lock": ""}, body=_setting("ObjectLock", text))

    async def lock_of(self) -> tuple[str, int] | None:
        """Return mode and days of the lock that new versions get, or None."""
        answer = await self._ask("GET", query={"object-lock": ""}, accepted=(404,))
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        root = _parsed(answer)
        mode, days = (
            _text(root, f".//{_NAMESPACE}{name}") or _text(root, f".//{name}")
            for name in ("Mode", "Days")
        )
        return (mode, int(days)) if mode else None

    async def versions(self, prefix: str) -> tuple[ObjectVersion, ...]:
        """Return every version of every object below `prefix`, the newest of each first."""
        found: list[ObjectVersion] = []
        query = {"versions": "", "prefix": prefix}
        while True:
            root = _parsed(await self._ask("GET", query=query))
            found.extend(_versions(root))
            if _text(root, f"{_NAMESPACE}IsTruncated") != "true":
                return tuple(found)
            query["key-marker"] = _text(root, f"{_NAMESPACE}NextKeyMarker")
            query["version-id-marker"] = _text(root, f"{_NAMESPACE}NextVersionIdMarker")

    async def delete_version(self, path: str, version: str) -> None:
        """Delete one version for good; a lock refuses it."""
        await self._ask("DELETE", path, query={"versionId": version}, accepted=(204,))

    async def probe(self) -> None:
        """See whether the bucket answers and the key may read it."""
        await self._ask("GET", query={"list-type": "2", "max-keys": "1"})

    async def _ask(
        self,
        method: str,
        path: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        accepted: tuple[int, ...] = (),
    ) -> httpx2.Response:
        answer = await self._send(method, path, query or {}, body)
        if answer.is_success or answer.status_code in accepted:
            return answer
        raise await self._explained(answer)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        # A lock's setting is taken only with the hash of its text.
        content = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        request = Request(
            method=method,
            host=self._at.host,
            path=f"/{self._at.container}" + (f"/{path}" if path else ""),
            query=query,
            headers={**(headers or {}), **({"content-md5": content} if body else {})},
            body=body,
        )
        told = signed(request, self._key, self._at.region, self._at.clock.now())
        url = f"{self._at.address}{request.path}"
        if query:
            url += f"?{canonical_query(query)}"
        return await self._sent(method, url, told, body)

    async def _sent(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> httpx2.Response:
        try:
            async with httpx2.AsyncClient(
                verify=self._at.tls, timeout=self._at.patience_s, trust_env=False
            ) as client:
                return await client.request(method, url, headers=headers, content=body)
        except httpx2.HTTPError as error:
            raise StoreUnreachableError(f"{self._at} did not answer: {error!r}") from error

    async def _explained(self, answer: httpx2.Response) -> ObjectStoreError:
        """Return what an answer means, as an error."""
        code = _code(answer)
        place = str(self._at)
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return ObjectAbsentError(f"{place}: {code or 'not found'}")
        if answer.status_code in {401, 403}:
            return skewed(place, _offset_s(answer, self._at.clock)) or StoreDeniedError(
                f"{place}: {code or 'denied'}"
            )
        return ObjectStoreError(f"{place}: answered {answer.status_code} {code}".rstrip())

    async def skew(self) -> ClockSkewError | None:
        """Return the difference of the clocks as an error, when it is what a denial is about."""
        answer = await self._sent("GET", f"{self._at.address}/", {})
        return skewed(str(self._at), _offset_s(answer, self._at.clock))


def skewed(place: str, offset_s: float) -> ClockSkewError | None:
    """Return an error when our clock is too far from the store's."""
    if abs(offset_s) < SKEW_LIMIT_S:
        return None
    way = "ahead of" if offset_s > 0 else "behind"
    return ClockSkewError(f"{place}: this clock is {abs(offset_s) / 60:.1f} min {way} the store's")


def _offset_s(answer: httpx2.Response, clock: Clock) -> float:
    told = answer.headers.get("date")
    try:
        theirs = parsedate_to_datetime(told) if told else None
    except ValueError:
        theirs = None
    return 0.0 if theirs is None else (clock.now() - theirs).total_seconds()


_ENABLED: Final = "<Status>Enabled</Status>"


def _setting(name: str, text: str) -> bytes:
    spaced = f'xmlns="{_NAMESPACE[1:-1]}"'
    return f"<{name}Configuration {spaced}>{text}</{name}Configuration>".encode()


def _located(region: str) -> bytes:
    text = f"<LocationConstraint>{region}</LocationConstraint>"
    return _setting("CreateBucket", text)


def _parsed(answer: httpx2.Response) -> ET.Element:
    try:
        # The parser opens nothing outside, and bounds the growth of entities.
        return ET.fromstring(answer.content)  # noqa: S314
    except ET.ParseError as error:
        raise ObjectStoreError("the object store answered with something else than XML") from error


def _code(answer: httpx2.Response) -> str:
    try:
        return _text(ET.fromstring(answer.content), "Code")  # noqa: S314 - as above
    except ET.ParseError:
        return ""


def _text(node: ET.Element, path: str) -> str:
    return (node.findtext(path) or "").strip()


def _versions(root: ET.Element) -> list[ObjectVersion]:
    kinds = {f"{_NAMESPACE}Version": False, f"{_NAMESPACE}DeleteMarker": True}
    return [
        ObjectVersion(
            path=_text(node, f"{_NAMESPACE}Key"),
            version=_text(node, f"{_NAMESPACE}VersionId"),
            modified=datetime.fromisoformat(_text(node, f"{_NAMESPACE}LastModified")),
            size=int(_text(node, f"{_NAMESPACE}Size") or 0),
            etag=_text(node, f"{_NAMESPACE}ETag").strip('"'),
            latest=_text(node, f"{_NAMESPACE}IsLatest") == "true",
            deleted=kinds[node.tag],
        )
        for node in root
        if node.tag in kinds
    ]
