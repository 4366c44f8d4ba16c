"""One stack on this machine: its folder, its ports, its secrets. What the declarations need."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from abops.kernel.errors import OpsError
from abops.stack.credentials import read_credential
from abops.stack.layout import Layout
from abops.stack.ports import HOST, read_ports

ENVIRONMENT = "local"


class PortMissingError(OpsError):
    """A part has no port yet."""

    hint = "Run `abops stack up`, which chooses it."


@dataclass(frozen=True, slots=True)
class Site:
    """The layout, the ports chosen for it, and the folder of PostgreSQL."""

    layout: Layout
    ports: Mapping[str, int]
    logs: bool = False
    """Whether the log path runs here."""

    @property
    def postgres_home(self) -> Path:
        """Return the folder of PostgreSQL, which its user can reach; the stack's is a link then."""
        return (self.layout.state / "postgres").resolve()

    def port(self, name: str) -> int:
        """Return the port that was chosen for `name`."""
        try:
            return self.ports[name]
        except KeyError as error:
            raise PortMissingError(f"no port was chosen for {name}") from error

    def address(self, name: str) -> str:
        """Return host and port of `name`."""
        return f"{HOST}:{self.port(name)}"

    def url(self, name: str, path: str = "") -> str:
        """Return the address of `name` as a person or a client writes it."""
        return f"http://{self.address(name)}{path}"

    def secret(self, name: str) -> str:
        """Return a secret."""
        return read_credential(self.layout.secrets, name)

    def data(self, part: str) -> Path:
        """Return the data folder of a part, made when it is missing."""
        folder = self.layout.data / part
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def load_site(layout: Layout) -> Site:
    """Return the site as the last `up` prepared it."""
    return Site(layout, read_ports(layout.ports_file), logs=layout.logs_file.is_file())
