"""An Azure container as such: made by one signed call, for the object client cannot make one."""

import base64
import hmac
from typing import Final

import httpx2

from abops.clients.object_errors import (
    ObjectStoreError,
    StoreDeniedError,
    StoreUnreachableError,
)
from abops.clients.object_place import Reach

VERSION: Final = "2021-12-02"


class AzureContainer:
    """One container, with the key of its account."""

    def __init__(self, at: Reach, key: str) -> None:
        self._at = at
        self._key = key

    async def make(self) -> bool:
        """Make the container; tell whether it was not there."""
        date = self._at.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": date, "x-ms-version": VERSION}
        try:
            key = base64.b64decode(self._key, validate=True)
        except ValueError as error:
            account = self._at.account
            raise StoreDeniedError(f"the key of account {account} is not base64") from error
        signature = hmac.digest(key, self._told(headers).encode(), "sha256")
        told = base64.b64encode(signature).decode()
        headers["authorization"] = f"SharedKey {self._at.account}:{told}"
        url = f"{self._at.address}/{self._at.container}?restype=container"
        try:
            async with httpx2.AsyncClient(
                verify=self._at.tls, timeout=self._at.patience_s, trust_env=False
            ) as client:
                answer = await client.put(url, headers=headers)
        except httpx2.HTTPError as error:
            raise StoreUnreachableError(f"{self._at} did not answer: {error!r}") from error
        if answer.status_code in {201, 409}:
            return answer.status_code == httpx2.codes.CREATED
        if answer.status_code in {401, 403}:
            raise StoreDeniedError(f"{self._at}: denied")
        raise ObjectStoreError(f"{self._at}: answered {answer.status_code}")

    def _told(self, headers: dict[str, str]) -> str:
        """Return what is signed: verb, eleven empty headers, ours, the resource, the query."""
        own = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        path = httpx2.URL(self._at.address).path.rstrip("/")
        resource = f"/{self._at.account}{path}/{self._at.container}\nrestype:container"
        return "PUT" + "\n" * 12 + own + resource
