"""Where an object store is, and who we are there. Always said, never found in an environment."""

import ssl
from typing import Final, Protocol

from msgspec import Struct

from abops.kernel.clock import Clock

HTTPS_PORT: Final = 443


class Place(Protocol):
    """What must be known of a destination to reach it; `abops.backup.model.Destination` is one."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102 - `s3` or `azure`
    @property
    def container(self) -> str: ...  # noqa: D102
    @property
    def endpoint(self) -> str: ...  # noqa: D102
    @property
    def port(self) -> int: ...  # noqa: D102
    @property
    def region(self) -> str: ...  # noqa: D102
    @property
    def account(self) -> str: ...  # noqa: D102
    @property
    def ca_file(self) -> str: ...  # noqa: D102


class Keys(Protocol):
    """Who we are at an object store. S3: a key and its secret; Azure: a key of the account."""

    @property
    def access_key(self) -> str: ...  # noqa: D102
    @property
    def secret_key(self) -> str: ...  # noqa: D102
    @property
    def account_key(self) -> str: ...  # noqa: D102


class Reach(Struct, frozen=True):
    """How the calls that we sign ourselves reach a bucket or container."""

    address: str
    container: str
    region: str
    account: str
    clock: Clock
    tls: ssl.SSLContext
    patience_s: float

    @property
    def host(self) -> str:
        """As the Host header says it."""
        return self.address.split("://", 1)[-1].split("/", 1)[0]

    def __str__(self) -> str:
        """Name the place for people."""
        return f"{self.host}, {self.container}"


def reach(place: Place, clock: Clock, patience_s: float) -> Reach:
    """Return how a place is reached: with TLS always, by the authority that it names."""
    host = place.endpoint if place.port == HTTPS_PORT else f"{place.endpoint}:{place.port}"
    address = f"https://{host}"
    if place.kind != "s3":
        # Azure names the account in the host; its emulator, and private ones, in the path.
        at_azure = place.endpoint.startswith("blob.core.")
        address = f"https://{place.account}.{host}" if at_azure else f"{address}/{place.account}"
    tls = ssl.create_default_context(cafile=place.ca_file or None)
    return Reach(address, place.container, place.region, place.account, clock, tls, patience_s)
