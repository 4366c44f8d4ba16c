"""Who acts on a page, and whether they may act from where they sit.

With a gate before the application it is who signed in, and the gate has seen to what they may.
Without one, which is for tests of single pages, it is whoever sits at this machine, by the name
they typed.
"""

from fastapi import Request

from abops.entry.web.caller import caller_of, is_guarded
from abops.entry.web.guard import is_local
from abops.entry.web.pages import NAME_COOKIE
from abops.kernel.errors import OpsError


class NotLocalError(OpsError):
    """Without a login, incidents are acted on from this machine only."""

    hint = "Use a tunnel to this machine, or the API with the token `respond`."


def require_local(request: Request) -> None:
    """Without a gate, which knows who asks, only this machine may act; raises NotLocalError."""
    if not is_guarded(request) and not is_local(request):
        raise NotLocalError


def who_acts(request: Request, typed: str = "") -> str:
    """Return who acts: who is signed in; without a gate the name that was typed."""
    caller = caller_of(request)
    return caller.name if caller else typed or request.cookies.get(NAME_COOKIE, "") or "console"
