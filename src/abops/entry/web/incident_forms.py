"""What people do on an incident's page besides acknowledging it, as forms that need no script.

Each form is one request and one change, by the same calls that programs use. What cannot be done
is said at the form, with what was typed still in it.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Struct

from abops.alerts.service import AlertService
from abops.alerts.service.hush import SilenceError
from abops.alerts.service.memory import IncidentUnknownError
from abops.alerts.service.regroup import RegroupError
from abops.entry.web.actor import require_local, who_acts
from abops.entry.web.alerts_api import STATUS as ALERTS_STATUS
from abops.entry.web.alerts_api import incident_number
from abops.entry.web.caller import may
from abops.entry.web.duty_api import RESPONDERS_LONGEST_S
from abops.entry.web.duty_api import STATUS as DUTY_STATUS
from abops.entry.web.forms import after, read_fields, wants_values
from abops.entry.web.incident_page import IncidentPage, Refused
from abops.kernel.errors import OpsError, UsageError
from abops.kernel.quantities import QuantityError, parse_duration

NAME_AT_MOST: Final = 64
NOTE_AT_MOST: Final = 4_000
VIA: Final = "console"
_STATUS: Final = {**ALERTS_STATUS, **DUTY_STATUS}


class FormError(UsageError):
    """This form is not complete."""

    hint = "Fill in what is missing and send it again."


class Asked(Struct, frozen=True):
    """What somebody sent from an incident's page."""

    number: int
    by: str
    fields: dict[str, str]
    alerts: tuple[str, ...]
    """Fingerprints of the alerts that were ticked."""
    is_operator: bool

    def text(self, name: str, at_most: int = NAME_AT_MOST) -> str:
        """Return a field without what surrounds it."""
        return self.fields.get(name, "").strip()[:at_most]


Act = Callable[[Asked], Awaitable[int]]
"""Does it and returns the incident to look at next."""


class IncidentForms:
    """What the forms do, one method for each."""

    def __init__(self, service: AlertService) -> None:
        self._service = service
        self.acts: dict[str, Act] = {
            "assign": self.assign,
            "note": self.note,
            "noise": self.noise,
            "silence": self.silence,
            "resolve": self.resolve,
            "merge": self.merge,
            "split": self.split,
        }

    async def assign(self, asked: Asked) -> int:
        """Record whose it is: theirs who asks, somebody's by name, nobody's."""
        owner = asked.by if asked.text("take") else asked.text("owner")
        await self._service.assign(asked.number, owner, by=asked.by, via=VIA)
        return asked.number

    async def note(self, asked: Asked) -> int:
        """Add a line to the timeline."""
        text = asked.text("text", NOTE_AT_MOST)
        if not text:
            raise FormError("the note is empty", hint="Write what you found, or what you did.")
        await self._service.note(asked.number, text, by=asked.by, via=VIA)
        return asked.number

    async def noise(self, asked: Asked) -> int:
        """Record that nobody had to act, or that somebody had to after all."""
        noise = asked.text("noise") != "false"
        await self._service.noise(asked.number, by=asked.by, via=VIA, noise=noise)
        return asked.number

    async def silence(self, asked: Asked) -> int:
        """Keep alerts like its own from people for a while."""
        span_s = _span_s(asked.text("for"))
        if span_s > RESPONDERS_LONGEST_S and not asked.is_operator:
            raise SilenceError("a responder silences for up to 8 h; ask an operator for more")
        await self._service.silence(
            asked.text("matchers", NOTE_AT_MOST),
            ends_at=self._service.clock.now().timestamp() + span_s,
            reason=asked.text("reason", NOTE_AT_MOST),
            by=asked.by,
            via=VIA,
        )
        return asked.number

    async def resolve(self, asked: Asked) -> int:
        """Record that it is over. What still fires is asked for twice: there is no way back."""
        detail = await self._service.incident(asked.number)
        firing = detail.summary.firing
        if firing and asked.text("confirm").upper() not in _names(asked.number):
            still = "1 alert still fires" if firing == 1 else f"{firing} alerts still fire"
            raise FormError(still, hint=f"Type INC-{asked.number} to resolve it all the same.")
        await self._service.resolve(asked.number, by=asked.by, via=VIA)
        return asked.number

    async def merge(self, asked: Asked) -> int:
        """Make it part of another incident, and go there."""
        into = asked.text("into")
        if not into:
            raise FormError("no incident is named", hint="Choose the one it is part of.")
        try:
            number = incident_number(into)
            await self._service.merge(asked.number, number, by=asked.by, via=VIA)
        except IncidentUnknownError as error:
            raise RegroupError(f"there is no incident {into}") from error
        return number

    async def split(self, asked: Asked) -> int:
        """Make a new incident of the ticked alerts, and go there."""
        if not asked.alerts:
            raise FormError("no alert is ticked", hint="Tick those that belong together.")
        made = await self._service.split(asked.number, asked.alerts, by=asked.by, via=VIA)
        return made.number


def add_incident_forms(router: APIRouter, service: AlertService, page: IncidentPage) -> None:
    """Add the routes that the forms of an incident's page are sent to."""
    for action, act in IncidentForms(service).acts.items():
        _add(router, page, action, act)


def _add(router: APIRouter, page: IncidentPage, action: str, act: Act) -> None:
    @router.post(f"/incidents/{{number}}/{action}", name=f"form_{action}")
    async def submit(request: Request, number: int) -> Response:
        require_local(request)
        fields = await read_fields(request)
        asked = Asked(
            number,
            who_acts(request),
            {name: values[0] for name, values in fields.items()},
            tuple(fields.get("alert", ())),
            may(request, "operate"),
        )
        try:
            to = await act(asked)
        except IncidentUnknownError:
            raise
        except OpsError as error:
            if wants_values(request):
                raise
            status = _STATUS.get(type(error), 400)
            refused = Refused(action, error, status, asked.fields, asked.alerts)
            return await page.show(request, number, refused)
        return after(request, f"/incidents/{to}?done={action}", {"number": to, "done": action})


def _span_s(text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except QuantityError as error:
        raise SilenceError(str(error), hint=error.hint) from error


def _names(number: int) -> tuple[str, str]:
    return (f"INC-{number}", str(number))
