"""Where the stack keeps what: one folder, `.stack` in the checkout, holds everything it writes.

The folder can be moved by ABOPS_STACK_DIR, so that a test, or a second stack, has its own.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from abops.kernel.errors import OpsError

STATE_VARIABLE = "ABOPS_STACK_DIR"
INVENTORY_FILE = "platform.yaml"


class CheckoutMissingError(OpsError):
    """There is no platform.yaml here or in a folder above."""

    hint = "Run it in the checkout of the platform."


@dataclass(frozen=True, slots=True)
class Layout:
    """The checkout and the stack's folder, and the places inside it."""

    root: Path
    state: Path

    @property
    def stack_id(self) -> str:
        """Return what marks this stack's processes: equal for one folder, however it is named."""
        return hashlib.sha256(os.fsencode(self.state.resolve())).hexdigest()[:12]

    @property
    def logs(self) -> Path:
        """Return the folder with one log file per part."""
        return self.state / "logs"

    @property
    def records(self) -> Path:
        """Return the folder with one record per running process."""
        return self.state / "run"

    @property
    def secrets(self) -> Path:
        """Return the folder of the secrets, closed to everybody else."""
        return self.state / "secrets"

    @property
    def data(self) -> Path:
        """Return the folder with one data folder per part."""
        return self.state / "data"

    @property
    def config(self) -> Path:
        """Return the folder of the rendered configurations."""
        return self.state / "config"

    @property
    def ports_file(self) -> Path:
        """Return the file with the ports that were chosen."""
        return self.state / "ports.json"

    @property
    def logs_file(self) -> Path:
        """Return the file whose presence says that the log path was asked for."""
        return self.state / "logs.on"

    @property
    def state_file(self) -> Path:
        """Return the file with the last known state of every part."""
        return self.state / "state.json"

    @property
    def control_socket(self) -> Path:
        """Return the socket on which the supervisor takes requests."""
        return self.state / "control.sock"

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self.logs / f"{part}.log"


def find_layout() -> Layout:
    """Return the layout for the checkout around the current folder, or around this program."""
    here = Path.cwd()
    candidates = [here, *here.parents, *Path(__file__).resolve().parents]
    root = next((folder for folder in candidates if (folder / INVENTORY_FILE).is_file()), None)
    if root is None:
        raise CheckoutMissingError
    chosen = os.environ.get(STATE_VARIABLE)
    return Layout(root, Path(chosen).absolute() if chosen else root / ".stack")
