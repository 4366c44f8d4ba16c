"""What the acceptance cases taken from Keep's issues share: alerts that have nothing in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

from sqlalchemy import Engine, event

from support.alerts import an_alert

_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")


def word(n: int, role: str) -> str:
    """Return a word of letters only, so that masking numbers does not make two alike."""
    return blake2b(f"{role}{n}".encode(), digest_size=6).hexdigest().translate(_LETTERS)


def unrelated(n: int, **labels: str) -> dict[str, Any]:
    """Return an alert of a name, a service and a text that no other one has."""
    alert = an_alert(word(n, "name"), **{"service": word(n, "service"), **labels})
    return {**alert, "annotations": {"summary": word(n, "summary")}}


@contextmanager
def statements() -> Iterator[list[str]]:
    """Gather the SQL statements that are executed, whatever the engine."""
    seen: list[str] = []

    def note(*args: Any) -> None:  # noqa: ANN401 - the driver's own
        seen.append(args[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
