"""Everything a stack needs before its first process: folder, ports, secrets, PostgreSQL's place.

Running it again changes nothing: what was chosen once stays.
"""

from collections.abc import Callable, Iterator, Mapping

from abops.inventory.load import load_inventory
from abops.inventory.model import Inventory
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic
from abops.stack import backups, cluster
from abops.stack.credentials import make_credentials
from abops.stack.layout import INVENTORY_FILE, STATE_VARIABLE, Layout
from abops.stack.ports import DEFAULTS, SPARE, choose_ports, is_free, read_ports, write_ports
from abops.stack.records import read_records
from abops.stack.site import Site

STATE_MODE = 0o711
"""PostgreSQL's user must pass through; nobody else may list."""
MARK_FILE = "STACK"
"""Only a folder with this file is ever removed."""


class ForeignFolderError(OpsError):
    """The folder for the stack belongs to something else."""

    hint = f"Name an empty folder in {STATE_VARIABLE}."


def make_state_folder(layout: Layout) -> None:
    """Make the stack's folder, with the rights that its users need."""
    layout.state.mkdir(parents=True, exist_ok=True)
    mark = layout.state / MARK_FILE
    if not mark.is_file():
        if any(layout.state.iterdir()):
            raise ForeignFolderError(f"{layout.state} holds files that are not a stack's")
        write_atomic(mark, "The folder of a local stack: `abops stack down --purge` removes it.\n")
    layout.state.chmod(STATE_MODE)
    for folder in (layout.logs, layout.records, layout.data, layout.config):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)


def prepare(layout: Layout, *, free_ports: bool = False, logs: bool | None = None) -> Site:
    """Choose ports, make secrets and PostgreSQL's folder; running it again changes nothing.

    `logs` turns the log path on or off; None leaves it as it was chosen.
    """
    inventory = load_inventory(layout.root / INVENTORY_FILE)
    kept = read_ports(layout.ports_file)
    ports = choose_ports(
        default_ports(inventory, free_ports=free_ports and not kept),
        kept,
        usable=_port_is_ours_or_free(layout, kept),
        spare=_spare_ports(layout),
    )
    if ports != kept:
        write_ports(layout.ports_file, ports)
    if logs is not None:
        _choose_logs(layout, on=logs)
    site = Site(layout, ports, logs=layout.logs_file.is_file())
    make_credentials(layout.secrets, slack_url=site.url("channels-slack"))
    cluster.place_home(layout)
    cluster.write_access(site)
    backups.prepare(site)
    return site


def _choose_logs(layout: Layout, *, on: bool) -> None:
    if on:
        write_atomic(layout.logs_file, "The log path was asked for: abops stack up --logs\n")
    else:
        layout.logs_file.unlink(missing_ok=True)


def default_ports(inventory: Inventory, *, free_ports: bool = False) -> dict[str, int]:
    """Return the port each part would like: the inventory's where it names one."""
    if free_ports:
        return dict.fromkeys(DEFAULTS, 0)
    named = [*inventory.services, *inventory.stores, *inventory.platform]
    return {**DEFAULTS, **{part.name: part.port for part in named if part.name in DEFAULTS}}


def _port_is_ours_or_free(layout: Layout, kept: Mapping[str, int]) -> Callable[[int], bool]:
    # While the stack runs its ports are taken, by itself: nothing moves then.
    ours = frozenset(kept.values()) if read_records(layout) else frozenset()
    return lambda port: port > 0 and (port in ours or is_free(port))


def _spare_ports(layout: Layout) -> Iterator[int]:
    # Two stacks that choose at the same moment begin at different places.
    start = SPARE.start + int(layout.stack_id, 16) % len(SPARE)
    yield from range(start, SPARE.stop)
    yield from range(SPARE.start, start)
