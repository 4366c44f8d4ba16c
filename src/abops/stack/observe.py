"""What runs now, whether or not a supervisor can tell."""

import msgspec

from abops.stack.control import Request, StackDownError, ask
from abops.stack.keeper import PartStatus
from abops.stack.layout import Layout
from abops.stack.records import read_records

UNSUPERVISED = "unsupervised"


def look(layout: Layout) -> tuple[PartStatus, ...]:
    """Return every part's status: from the supervisor, else from its last notes and the records."""
    try:
        return ask(layout.control_socket, Request("look")).parts
    except StackDownError:
        running = read_records(layout) if layout.state.is_dir() else {}
        if not running:
            return ()
    return tuple(
        msgspec.structs.replace(
            status,
            state=UNSUPERVISED if status.part in running else "stopped",
            pid=running[status.part].identity.pid if status.part in running else None,
            message="the supervisor is gone; `abops stack up` takes over",
        )
        for status in _last_notes(layout)
    )


def _last_notes(layout: Layout) -> tuple[PartStatus, ...]:
    try:
        notes = layout.state_file.read_bytes()
        return msgspec.json.decode(notes, type=tuple[PartStatus, ...])
    except (OSError, msgspec.MsgspecError):
        return ()
