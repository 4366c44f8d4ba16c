"""Who makes a request, as the gate found out, for the routes and pages behind it.

An application without a gate, as tests of single pages make it, lets everybody do everything
that this machine's owner may.
"""

from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from abops.alerts.access.person import Caller
from abops.alerts.access.roles import Ability

_KEY: Final = "abops.caller"


def set_caller(scope: Scope, caller: Caller | None) -> None:
    """Note who makes the request; None: somebody whom the gate does not know."""
    scope[_KEY] = caller


def is_guarded(request: Request) -> bool:
    """Tell whether a gate stands before this application."""
    return _KEY in request.scope


def caller_of(request: Request) -> Caller | None:
    """Return who makes the request, when that is known."""
    caller: Caller | None = request.scope.get(_KEY)
    return caller


def may(request: Request, ability: Ability) -> bool:
    """Tell whether they may do it."""
    if not is_guarded(request):
        return True
    caller = caller_of(request)
    return caller is not None and caller.may(ability)
