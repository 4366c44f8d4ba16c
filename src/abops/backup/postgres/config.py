"""The engine's configuration of one destination, as text.

One configuration with one repository for each destination and key generation: destinations in
one configuration would share their fate, a dead one stops WAL and backups of all. Every folder
is the destination's own, or locks collide.
"""

from collections.abc import Iterator

from abops.backup.model import Cluster, Destination, Home, Kind, Site
from abops.backup.postgres.credentials import Credentials, Keyring
from abops.clients.pgbackrest_answers import Capabilities

HTTPS = 443
PROCESSES = 2
IO_TIMEOUT_S = 30
ARCHIVE_TIMEOUT_S = 60
COMPRESS_LEVEL = 1
"""A quarter less CPU than 3 (0.79 of a naive dump's against 1.06), and little bigger."""
BETA_BLOCK_FLAGS = ("--beta", "--repo1-block")


def engine_config(
    home: Home, site: Site, destination: Destination, ring: Keyring, can: Capabilities
) -> str:
    """Return the configuration. It holds secrets: write it with mode 0600."""
    sections = {
        "global": [
            *_global(home, destination),
            *_repository(destination, ring.keys),
            ("repo1-cipher-type", "aes-256-cbc"),
            ("repo1-cipher-pass", ring.passphrase),
            ("repo1-bundle", "y"),
            *_block(can),
            ("repo1-retention-full-type", "time"),
            ("repo1-retention-full", str(site.retention.days)),
        ],
        site.stanza: [*_cluster(site.cluster)],
    }
    return "\n".join(
        f"[{name}]\n" + "".join(f"{option}={value}\n" for option, value in options)
        for name, options in sections.items()
    )


def backup_flags(can: Capabilities) -> tuple[str, ...]:
    """Return what `backup` must be told on its command line for block incrementals."""
    return BETA_BLOCK_FLAGS if can.block_by_beta_flag else ()


def _global(home: Home, destination: Destination) -> Iterator[tuple[str, str]]:
    work = home.work(destination.name)
    for kind in ("lock", "spool", "log"):
        yield f"{kind}-path", str(work / kind)
    # A line for every WAL segment would fill the disk; what goes wrong is in our own log too.
    yield "log-level-file", "warn"
    yield "process-max", str(PROCESSES)
    yield "start-fast", "y"
    yield "archive-async", "n"
    yield "archive-timeout", str(ARCHIVE_TIMEOUT_S)
    yield "compress-type", "zst"
    yield "compress-level", str(COMPRESS_LEVEL)
    yield "io-timeout", str(IO_TIMEOUT_S)
    # Expiry is ours: only after a backup was verified.
    yield "expire-auto", "n"


def _repository(destination: Destination, keys: Credentials) -> Iterator[tuple[str, str]]:
    yield "repo1-path", destination.folder
    if destination.kind is Kind.AZURE:
        yield from _azure(destination, keys)
    else:
        yield from _s3(destination, keys)
    if destination.port != HTTPS:
        yield "repo1-storage-port", str(destination.port)
    if destination.ca_file:
        yield "repo1-storage-ca-file", destination.ca_file


def _s3(destination: Destination, keys: Credentials) -> Iterator[tuple[str, str]]:
    yield "repo1-type", "s3"
    yield "repo1-s3-bucket", destination.container
    yield "repo1-s3-endpoint", destination.endpoint
    yield "repo1-s3-region", destination.region
    yield "repo1-s3-key", keys.access_key
    yield "repo1-s3-key-secret", keys.secret_key
    yield "repo1-s3-uri-style", "path"


def _azure(destination: Destination, keys: Credentials) -> Iterator[tuple[str, str]]:
    """Azure's own endpoint is named by account; any other host gets the account in the path."""
    yield "repo1-type", "azure"
    yield "repo1-azure-account", destination.account
    yield "repo1-azure-container", destination.container
    yield "repo1-azure-key", keys.account_key
    yield "repo1-azure-endpoint", destination.endpoint
    if not destination.endpoint.startswith("blob.core."):
        yield "repo1-azure-uri-style", "path"
        yield "repo1-storage-host", destination.endpoint


def _block(can: Capabilities) -> Iterator[tuple[str, str]]:
    """Ask for blocks, except where the engine takes that on the command line only."""
    if can.block_incremental and not can.block_by_beta_flag:
        yield "repo1-block", "y"


def _cluster(cluster: Cluster) -> Iterator[tuple[str, str]]:
    yield "pg1-path", str(cluster.data)
    yield "pg1-port", str(cluster.port)
    yield "pg1-socket-path", str(cluster.socket)
    yield "pg1-user", cluster.superuser
    yield "pg1-database", cluster.database
