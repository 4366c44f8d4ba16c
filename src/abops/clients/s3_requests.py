"""The few calls of S3 that the object client has not: buckets, versions, locks.

Requests are signed here (AWS Signature, version 4), since the client signs addresses without a
query only. Nothing is taken from the environment or from files of an SDK.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

from msgspec import Struct

ALGORITHM: Final = "AWS4-HMAC-SHA256"


class Request(Struct, frozen=True, kw_only=True):
    """A call on a bucket, or on an object of it."""

    method: str
    host: str
    """As the Host header says it: with the port unless it is 443."""
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Key(Struct, frozen=True):
    """Who asks. It has no repr that tells the secret."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        """Name the key, never its secret."""
        return f"Key({self.access_key!r})"


def signed(request: Request, key: Key, region: str, now: datetime) -> dict[str, str]:
    """Return the headers that make the request valid for a quarter of an hour around `now`."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(request.body).hexdigest()
    headers = {
        **{name.lower(): value.strip() for name, value in request.headers.items()},
        "host": request.host,
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
    }
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [
            request.method,
            quote(request.path, safe="/~"),
            canonical_query(request.query),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            names,
            digest,
        ]
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    told = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    secret = f"AWS4{key.secret_key}".encode()
    for word in scope.split("/"):
        secret = hmac.digest(secret, word.encode(), "sha256")
    signature = hmac.digest(secret, told.encode(), "sha256").hex()
    credential = f"{key.access_key}/{scope}"
    authorization = (
        f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return {**headers, "authorization": authorization}


def canonical_query(query: Mapping[str, str]) -> str:
    """Return the query as it is signed, and sent: sorted and percent-encoded."""
    return "&".join(
        f"{quote(name, safe='~')}={quote(query[name], safe='~')}" for name in sorted(query)
    )
