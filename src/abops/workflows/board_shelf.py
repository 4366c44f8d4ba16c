"""The boards of this installation: Grafana's files in one folder, read again when they change."""

from pathlib import Path
from typing import Final, NamedTuple

from abops.kernel.errors import OpsError
from abops.observability.panels.model import Board
from abops.observability.panels.read import BoardError, read_board

CHECKOUT: Final = Path(__file__).parents[3] / "infrastructure/monitoring/grafana/dashboards"
"""Where the boards are when the package is installed from its checkout."""
FILE_AT_MOST: Final = 8 * 2**20


class BoardMissingError(OpsError):
    """There is no board of this name."""

    hint = "Choose one from the list of boards; `abops render` writes their files."


class _Read(NamedTuple):
    changed: tuple[int, int]
    board: Board | None
    problem: str


class BoardShelf:
    """The boards in one folder, by title."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or CHECKOUT
        self._files: dict[Path, _Read] = {}

    def boards(self) -> list[Board]:
        """Return every board that can be read, sorted by title."""
        found = [read.board for read in self._read() if read.board]
        return sorted(found, key=lambda board: board.title.casefold())

    def problems(self) -> list[str]:
        """Return what is wrong with files that cannot be read."""
        return [read.problem for read in self._read() if read.problem]

    def board(self, uid: str) -> Board:
        """Return one board; raises BoardMissingError."""
        for board in self.boards():
            if board.uid == uid:
                return board
        raise BoardMissingError(f"there is no board {uid[:64]!r}")

    def _read(self) -> list[_Read]:
        paths = sorted(self.folder.glob("*.json"))
        self._files = {path: read for path in paths if (read := self._read_file(path))}
        return list(self._files.values())

    def _read_file(self, path: Path) -> _Read | None:
        known = self._files.get(path)
        try:
            state = path.stat()
            changed = (state.st_mtime_ns, state.st_size)
            if known and known.changed == changed:
                return known
            if state.st_size > FILE_AT_MOST:
                return _Read(changed, None, f"{path.name}: larger than {FILE_AT_MOST} bytes")
            return _Read(changed, read_board(path.read_bytes()), "")
        except FileNotFoundError:
            return None  # gone since it was listed
        except (OSError, BoardError) as error:
            return _Read((0, 0), None, f"{path.name}: {error}")
