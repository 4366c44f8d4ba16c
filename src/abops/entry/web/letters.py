"""The page that a link in a letter opens: what the incident is, and a button.

Opening it changes nothing, since mail programs and scanners open links by themselves; only the
button does. The link is the permission: it is signed, for one incident, for a day.
"""

from contextlib import suppress

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from abops.alerts.service import AlertService
from abops.alerts.service.memory import IncidentResolvedError
from abops.alerts.service.signing import Linked, LinkError, Signing
from abops.entry.web.caller import caller_of
from abops.entry.web.pages import Pages
from abops.kernel.errors import OpsError

STATUS: dict[type[OpsError], int] = {LinkError: 404}


def letters_router(service: AlertService, pages: Pages) -> APIRouter:
    """Return the routes of links in letters."""
    router = APIRouter(include_in_schema=False)
    signing = Signing(service.config)

    def linked(token: str) -> Linked:
        return signing.read(service.instance, token, service.clock.now().timestamp())

    @router.get("/letters/{token}")
    async def show(request: Request, token: str) -> Response:
        """Show the incident and the button."""
        found = linked(token)
        incident = (await service.incident(found.number, members=0)).summary
        return pages.show(request, "letter.html", incident=incident, token=token)

    @router.post("/letters/{token}")
    async def acknowledge(request: Request, token: str) -> Response:
        """Acknowledge, in the name of who is signed in, else of whoever reads the letters."""
        found = linked(token)
        caller = caller_of(request)
        by = caller.name if caller is not None else f"a reader of {found.channel}"
        with suppress(IncidentResolvedError):  # the page says so
            await service.ack(found.number, by=by, via="email")
        return RedirectResponse(f"/letters/{token}", 303)

    return router
