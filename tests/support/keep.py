"""What the acceptance cases taken from Keep's issues share: alerts that have nothing in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Engine, event

from abops.alerts.model import Routing
from abops.alerts.service import AlertService
from support.alerts import a_routing, an_alert, eventually

_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")


def word(n: int, role: str) -> str:
    """Return a word of letters only, so that masking numbers does not make two alike."""
    return blake2b(f"{role}{n}".encode(), digest_size=6).hexdigest().translate(_LETTERS)


def unrelated(n: int, **labels: str) -> dict[str, Any]:
    """Return an alert of a name, a service and a text that no other one has."""
    alert = an_alert(word(n, "name"), **{"service": word(n, "service"), **labels})
    return {**alert, "annotations": {"summary": word(n, "summary")}}


def asking(alerts: int, within_s: float = 300) -> Routing:
    """Return routes which ask for so many alerts before anybody is told."""
    routing = a_routing()
    routes = tuple(replace(route, min_alerts=alerts, within_s=within_s) for route in routing.routes)
    return replace(routing, routes=routes)


async def settled(service: AlertService, alerts: int) -> None:
    """Wait until so many alerts are in their incidents."""

    async def placed() -> bool:
        found = await service._vault.read(  # noqa: SLF001 - what is no incident yet is shown nowhere
            lambda c: c.exec_driver_sql("SELECT count(*) FROM member").scalar_one()
        )
        return int(found) >= alerts

    await eventually(placed, what=f"{alerts} alerts in their incidents")


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
