"""Which port each part listens on: its default when free, another one when taken, always the same.

Choices are kept in a file: a bookmark of the console, and a rendered configuration, stay valid
over the next start.
"""

import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

HOST = "127.0.0.1"
SPARE = range(20_000, 32_000)  # below the ports that the system hands to outgoing connections

REGION_LISTENERS = ("master", "volume", "filer", "s3")
REGION_PORTS = (*REGION_LISTENERS, *(f"{name}-grpc" for name in REGION_LISTENERS), "s3-https")
"""What an object-store region listens on: `s3-https` serves the engine, `s3` tells its health."""

DEFAULTS: Mapping[str, int] = {
    "postgres": 5432,
    "redis": 6379,
    "telegram-stub": 8081,
    "control": 8090,
    "api": 8000,
    "worker": 9540,
    "bot": 9541,
    "beat": 9542,
    "node-exporter": 9100,
    "postgres-exporter": 9187,
    "redis-exporter": 9121,
    "blackbox": 9115,
    "business-exporter": 9545,
    "prometheus": 9090,
    "alertmanager": 9093,
    "jaeger": 16686,
    "jaeger-grpc": 16685,
    "jaeger-otlp-grpc": 14317,
    "jaeger-otlp-http": 14318,
    "jaeger-health": 13133,
    "jaeger-sampling-grpc": 5779,
    "jaeger-sampling-http": 5778,
    "jaeger-metrics": 8888,
    "jaeger-spanmetrics": 8890,
    "opensearch": 9200,
    "opensearch-transport": 9300,
    "alerts": 9600,
    "channels-inbox": 9610,
    "channels-slack": 9611,
    "channels-pagerduty": 9612,
    "channels-telegram": 9613,
    "channels-smtp": 9614,
    "supervisor": 9599,
    "backup": 9720,
    "backup-wal": 9721,
    **{f"region-eu-{name}": 21_400 + index for index, name in enumerate(REGION_PORTS)},
    **{f"region-us-{name}": 23_400 + index for index, name in enumerate(REGION_PORTS)},
}


class NoFreePortError(OpsError):
    """Every port that the stack may use is taken."""

    hint = "Stop some of the programs that listen on ports 20000 to 31999."


class PortsFileError(OpsError):
    """The file with the chosen ports cannot be read."""

    hint = "Remove it; the ports are chosen anew."


def is_free(port: int) -> bool:
    """Tell whether nobody listens on `port` of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose_ports(
    defaults: Mapping[str, int],
    kept: Mapping[str, int],
    *,
    usable: Callable[[int], bool],
    spare: Iterable[int] = SPARE,
) -> dict[str, int]:
    """Return a port for every name of `defaults`: the kept one, the default, or a spare one.

    `usable` says of a port whether it may be taken (nobody listens, or the part itself does).
    """
    chosen: dict[str, int] = {}
    spare_ports = iter(spare)
    for name, default in defaults.items():
        wanted = (port for port in (kept.get(name), default) if port is not None)
        taken = {*chosen.values(), *(port for other, port in kept.items() if other != name)}
        port = next((port for port in wanted if port not in taken and usable(port)), None)
        if port is None:
            port = next((p for p in spare_ports if p not in taken and usable(p)), None)
        if port is None:
            raise NoFreePortError
        chosen[name] = port
    return chosen


def read_ports(path: Path) -> dict[str, int]:
    """Return the ports chosen earlier; none when there is no file yet."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise PortsFileError(f"{path} cannot be read: {error}") from error


def write_ports(path: Path, ports: Mapping[str, int]) -> None:
    """Keep the chosen ports for the next start."""
    write_atomic(path, msgspec.json.format(msgspec.json.encode(dict(ports))) + b"\n")
