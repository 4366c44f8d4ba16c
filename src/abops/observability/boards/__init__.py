"""The boards: what they show, and how they become Grafana's JSON."""

from abops.inventory.model import Inventory
from abops.observability.boards.backups import backups_board
from abops.observability.boards.business import business_board
from abops.observability.boards.cost import cost_board
from abops.observability.boards.delivery import delivery_board
from abops.observability.boards.infrastructure import infrastructure_board
from abops.observability.boards.logs import logs_board
from abops.observability.boards.model import Board
from abops.observability.boards.objectives import objectives_board
from abops.observability.boards.platform import platform_boards
from abops.observability.boards.services import service_boards
from abops.observability.boards.stores import store_boards


def boards(inventory: Inventory) -> tuple[Board, ...]:
    """Return every board, in the order of the list."""
    return (
        business_board(),
        infrastructure_board(),
        objectives_board(),
        *service_boards(inventory),
        *store_boards(inventory),
        *platform_boards(inventory),
        logs_board(),
        backups_board(),
        delivery_board(),
        cost_board(),
    )
