"""What other replicas ask the leading one to do.

A command is carried out in the transaction that answers it, so exactly once. Who asked reads the
answer and removes the row; who has waited long enough takes the command back, which works as
long as nobody has begun with it.
"""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

FORGOTTEN_S = 3_600.0
"""Age from which a row belongs to a replica that died before it read the answer."""


class Command(Struct, frozen=True):
    """Something to do."""

    id: int
    name: str
    arguments: str
    """JSON."""


class Answer(Struct, frozen=True):
    """What came of it."""

    done: bool
    content: str
    """JSON."""


def ask(connection: Connection, name: str, arguments: str, *, at: float) -> int:
    """Have something done, and return the number of the command."""
    return int(
        connection.exec_driver_sql(
            "INSERT INTO command (at, name, arguments) VALUES (?, ?, ?) RETURNING id",
            (at, name, arguments),
        ).scalar_one()
    )


def claim(connection: Connection, limit: int = 100) -> Sequence[Command]:
    """Return what is to be done, oldest first; what is being taken back is left out."""
    rows = connection.exec_driver_sql(
        "SELECT id, name, arguments FROM command WHERE state = 'waiting' ORDER BY id LIMIT ?"
        " FOR UPDATE SKIP LOCKED",
        (limit,),
    )
    return [Command(*row) for row in rows]


def answer(connection: Connection, number: int, answer: Answer) -> None:
    """Say what came of it."""
    connection.exec_driver_sql(
        "UPDATE command SET state = ?, answer = ? WHERE id = ?",
        ("done" if answer.done else "refused", answer.content, number),
    )


def take_answer(connection: Connection, number: int) -> Answer | None:
    """Return what came of it and forget it. None: nothing yet."""
    row = connection.exec_driver_sql(
        "DELETE FROM command WHERE id = ? AND state <> 'waiting' RETURNING state, answer",
        (number,),
    ).first()
    return None if row is None else Answer(row[0] == "done", row[1])


def take_back(connection: Connection, number: int) -> bool:
    """Have it not done after all; False: it was done meanwhile."""
    done = connection.exec_driver_sql(
        "DELETE FROM command WHERE id = ? AND state = 'waiting'", (number,)
    )
    return bool(done.rowcount)


def forget(connection: Connection, now: float) -> None:
    """Remove answers that nobody read."""
    connection.exec_driver_sql(
        "DELETE FROM command WHERE state <> 'waiting' AND at < ?", (now - FORGOTTEN_S,)
    )
