"""Object-store regions on this machine: one SeaweedFS each, which speaks S3 over TLS.

Telemetry is off, every port is named and on the loopback. A region may be killed at any time:
what it has acknowledged is there after a restart. It leaves sockets in the temporary folder, where
another user's stop its start: give it one of its own by TMPDIR.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from abops.kernel.files import write_atomic
from abops.stack.part import Tool
from abops.stack.ports import HOST, REGION_LISTENERS, REGION_PORTS

PORT_NAMES = REGION_PORTS


class Region(msgspec.Struct, frozen=True):
    """Where a region keeps its objects, what it listens on, who may use it."""

    folder: Path
    ports: Mapping[str, int]
    """A port for each of PORT_NAMES."""
    certificates: Path
    """Folder with server.crt and server.key."""
    identities: Path
    """File with the keys it accepts, mode 0600."""


def region_argv(region: Region) -> tuple[str | Tool, ...]:
    """Return the command that serves the region; its folder must exist."""
    ports = region.ports
    settings = {
        "dir": region.folder,
        "ip": HOST,
        "ip.bind": HOST,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 1024,
        # Every bucket takes seven as soon as it is used; they grow as they are filled.
        "volume.max": 700,
        "volume.preStopSeconds": 0,
        **{f"{name}.port": ports[name] for name in REGION_LISTENERS},
        **{f"{name}.port.grpc": ports[f"{name}-grpc"] for name in REGION_LISTENERS},
        "s3.port.https": ports["s3-https"],
        "s3.cert.file": region.certificates / "server.crt",
        "s3.key.file": region.certificates / "server.key",
        "s3.config": region.identities,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
    }
    words = tuple(f"-{name}={value}" for name, value in settings.items())
    logs = f"-logdir={region.folder / 'logs'}"
    return (Tool("weed"), logs, "server", "-filer", "-s3", *words)


def write_identities(path: Path, access_key: str, secret_key: str) -> None:
    """Write who may use a region: one identity with all rights, mode 0600."""
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    identity = {"name": "backup", "credentials": credentials, "actions": actions}
    text = msgspec.json.encode({"identities": [identity]})
    if not path.is_file() or path.read_bytes() != text:
        write_atomic(path, text, mode=0o600)
