"""What people ask for that only the replica with the state can do.

On that replica it is a call; from any other it travels as JSON, and the answer, or the refusal
with its class and words, travels back. So whoever asks cannot tell which replica answered.
"""

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from abops.alerts.model import Actor
from abops.alerts.service.expiry import Expiry
from abops.alerts.service.hush import What
from abops.alerts.service.incidents import Incidents
from abops.alerts.store.commands import Answer
from abops.alerts.store.duty import SilenceRow
from abops.alerts.store.unit import Unit
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class Order(Generic[_T]):
    """Something that can be asked for: what it takes, and what comes back."""

    def __init__(self, name: str, takes: Any, gives: Any = None) -> None:  # noqa: ANN401 - types
        self.name = name
        self._takes = msgspec.json.Decoder(takes)
        self._gives = msgspec.json.Decoder(gives)

    def arguments(self, text: str) -> tuple[Any, ...]:
        """Read what was asked."""
        found: tuple[Any, ...] = self._takes.decode(text)
        return found

    def result(self, text: str) -> _T:
        """Read what came of it."""
        found: _T = self._gives.decode(text)
        return found


ACK: Final[Order[bool]] = Order("ack", tuple[int, Actor], bool)
UNACK: Final[Order[None]] = Order("unack", tuple[int, Actor])
RESOLVE: Final[Order[None]] = Order("resolve", tuple[int, Actor])
ASSIGN: Final[Order[None]] = Order("assign", tuple[int, str, Actor])
NOTE: Final[Order[None]] = Order("note", tuple[int, str, Actor])
NOISE: Final[Order[None]] = Order("noise", tuple[int, Actor, bool])
MERGE: Final[Order[None]] = Order("merge", tuple[int, int, Actor])
SPLIT: Final[Order[int]] = Order("split", tuple[int, tuple[str, ...], Actor], int)
SILENCE: Final[Order[int]] = Order("silence", tuple[SilenceRow, Actor], int)
WINDOW: Final[Order[int]] = Order("window", tuple[SilenceRow, Actor], int)
END_QUIET: Final[Order[None]] = Order("end quiet", tuple[What, int, Actor])
SAID: Final[Order[None]] = Order("said", tuple[list[tuple[str, float | None]]])


class Refusal(Struct, frozen=True):
    """An error on its way to another replica."""

    kind: str
    message: str
    hint: str


_encode = msgspec.json.Encoder().encode
_refusal = msgspec.json.Decoder(Refusal)


class Orders:
    """Does what is asked for, in the writer's thread."""

    def __init__(self, incidents: Incidents, expiry: Expiry) -> None:
        actions, hush, regroup = incidents.actions, incidents.duty.hush, incidents.regroup
        self._work: dict[Order[Any], Callable[..., Any]] = {
            ACK: incidents.ack,
            UNACK: incidents.unack,
            RESOLVE: actions.resolve,
            ASSIGN: actions.assign,
            NOTE: actions.note,
            NOISE: lambda unit, number, actor, noise: actions.noise(
                unit, number, actor, noise=noise
            ),
            MERGE: regroup.by_hand,
            SPLIT: regroup.split,
            SILENCE: hush.silence,
            WINDOW: hush.window,
            END_QUIET: hush.end,
            SAID: expiry.take,
        }
        self._known = {order.name: order for order in self._work}

    def do(self, unit: Unit, order: Order[_T], *given: Any) -> _T:  # noqa: ANN401 - the order's
        """Do it here."""
        result: _T = self._work[order](unit, *given)
        return result

    def carry_out(self, unit: Unit, name: str, arguments: str) -> Answer:
        """Do what another replica asks for; what is refused there, is refused here."""
        order = self._known.get(name)
        if order is None:  # of a later version
            return Answer(done=False, content=refusal_of(OrderUnknownError()))
        try:
            result = self.do(unit, order, *order.arguments(arguments))
        except OpsError as error:
            return Answer(done=False, content=refusal_of(error))
        return Answer(done=True, content=_encode(result).decode())


class OrderUnknownError(OpsError):
    """The replica that leads is older than this one and cannot do that."""

    hint = "Try again when every replica is of the same version."


def encode(given: tuple[Any, ...]) -> str:
    """Write arguments as JSON."""
    return _encode(given).decode()


def refusal_of(error: Exception) -> str:
    """Write an error as JSON."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    hint = error.hint if isinstance(error, OpsError) else OpsError.hint
    return _encode(Refusal(kind, str(error), hint)).decode()


def error_of(text: str) -> OpsError:
    """Return the error that was refused with, of its own class where this process knows it."""
    refusal = _refusal.decode(text)
    found = {f"{cls.__module__}.{cls.__qualname__}": cls for cls in _all(OpsError)}
    cls = found.get(refusal.kind, OpsError)
    error = cls.__new__(cls)
    OpsError.__init__(error, refusal.message, hint=refusal.hint)
    return error


def _all(cls: type[OpsError]) -> set[type[OpsError]]:
    return {cls}.union(*(_all(sub) for sub in cls.__subclasses__()))
