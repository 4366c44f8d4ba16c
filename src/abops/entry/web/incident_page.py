"""The page of one incident: everything that is known of it, and what can be done about it.

It is shown when somebody opens it, and again when something they asked for could not be done:
then the reason stands at the form that asked, with what was typed.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response
from msgspec import Struct

from abops.alerts.model import Alert, IncidentDetail, IncidentSummary
from abops.alerts.service import AlertService
from abops.entry.web import story
from abops.entry.web.caller import may
from abops.entry.web.pages import Pages
from abops.entry.web.quiet_now import open_now, silent
from abops.entry.web.quiet_words import matchers_of
from abops.entry.web.runbooks import Runbook, Runbooks
from abops.entry.web.storms import bars_of
from abops.entry.web.topology import picture_of
from abops.kernel.errors import OpsError

CHANGES_BEFORE: Final = timedelta(minutes=30)
"""How long before the first alert a change may be to be shown: as long as it counts as a cause."""
CHANGES_AT_MOST: Final = 50
MERGE_AT_MOST: Final = 100
DURATIONS: Final = {"30m": "30 min", "1h": "1 h", "2h": "2 h", "4h": "4 h", "8h": "8 h"}
LONGER: Final = {"1d": "1 day", "3d": "3 days", "7d": "7 days"}
"""What operators may choose besides."""
SAID: Final = {
    "assign": "Whose it is has changed; the channels are told.",
    "note": "The note is on the timeline.",
    "noise": "It is noted; the score learns from it at night.",
    "silence": "Its alerts are silenced: nobody is told of them until then.",
    "resolve": "It is resolved; whoever was told of it is told so.",
    "merge": "The other incident is part of this one now.",
    "split": "This is the new incident; the other one keeps the rest.",
}


class Refused(Struct, frozen=True):
    """What somebody asked for that could not be done."""

    action: str
    error: OpsError
    status: int
    fields: Mapping[str, str] = {}
    ticked: tuple[str, ...] = ()


class IncidentPage:
    """Fills the page of one incident."""

    def __init__(self, service: AlertService, pages: Pages, runbooks: Runbooks) -> None:
        self._service = service
        self._pages = pages
        self._runbooks = runbooks

    async def show(self, request: Request, number: int, refused: Refused | None = None) -> Response:
        """Return the page; raises IncidentUnknownError."""
        detail = await self._service.incident(number)
        why = story.reason_of(detail)
        names = await self._service.window_names()
        return self._pages.show(
            request,
            "incident.html",
            status=refused.status if refused else 200,
            detail=detail,
            incident=detail.summary,
            why=why,
            told=story.who_was_told(detail.deliveries),
            timeline=story.with_gaps(await self._timeline(detail, names)),
            runbook=_runbook(self._runbooks, detail, why),
            picture=picture_of(detail, self._service.calls()),
            similar=await self._service.similar(detail),
            silent=await self._silent(detail, names),
            bar=bars_of(detail.storm, detail.storm.rate) if detail.storm else None,
            upcoming=await self._service.upcoming([number]),
            storm_beside=story.storm_beside(detail),
            refused=refused,
            said=SAID.get(request.query_params.get("done", ""), ""),
            **(await self._choices(request, detail) if may(request, "respond") else {}),
        )

    async def _choices(self, request: Request, detail: IncidentDetail) -> dict[str, Any]:
        """Return what the forms offer to choose from."""
        firing = [m.alert for m in detail.members if m.alert.state == "firing"]
        longer = LONGER if may(request, "operate") else {}
        return {
            "people": self._people(detail.summary),
            "matchers": matchers_of(firing or [m.alert for m in detail.members]),
            "durations": DURATIONS | longer,
            "others": await self._others(detail.summary) if may(request, "operate") else (),
        }

    async def _others(self, incident: IncidentSummary) -> tuple[IncidentSummary, ...]:
        """Return the incidents it could become part of, those of its service first."""
        known = await self._service.incidents(limit=MERGE_AT_MOST)
        open_ones = [
            one
            for one in known
            if one.state != "resolved" and one.number != incident.number and one.env == incident.env
        ]
        return tuple(sorted(open_ones, key=lambda one: one.service != incident.service))

    def _people(self, incident: IncidentSummary) -> list[str]:
        teams = self._service.config.routing.teams.values()
        known = {name for team in teams if team.oncall for name in team.oncall.members}
        return sorted((known | {incident.acked_by, incident.owner}) - {""})

    async def _timeline(
        self, detail: IncidentDetail, names: Mapping[int, str]
    ) -> list[story.Entry]:
        """Return what happened to it, with what was changed around it then."""
        incident = detail.summary
        begin = min(
            (member.alert.starts_at for member in detail.members), default=incident.opened_at
        )
        since = min(begin, incident.opened_at) - CHANGES_BEFORE
        until = incident.resolved_at or self._service.clock.now()
        found = await self._service.changes(
            since.timestamp(), until.timestamp() + 1, limit=CHANGES_AT_MOST
        )
        near = story.parts_around(detail, self._service.calls())
        marks = [
            story.mark_of(change, begin)
            for change in found
            if change.env in ("", incident.env) and change.service in near
        ]
        return story.with_marks(story.with_names(detail.timeline, names), marks)

    async def _silent(self, detail: IncidentDetail, names: Mapping[int, str]) -> dict[str, str]:
        """Return, by fingerprint, which silence or window keeps an alert from people."""
        active = open_now(
            await self._service.silences(), await self._service.windows(), self._pages.now()
        )
        if not active:
            return {}
        kept = silent(active, (member.alert for member in detail.members))
        return {
            fingerprint: story.named(f"{quiet.name}: {quiet.reason}", names)
            for fingerprint, quiet in kept.items()
        }


def _runbook(runbooks: Runbooks, detail: IncidentDetail, why: Alert | None) -> Runbook | None:
    """Return the runbook of the alert that explains the page, else of the first that has one."""
    names = [why.name] if why else []
    names += [member.alert.name for member in detail.members]
    name = next(filter(runbooks.has, names), None)
    return Runbook(name, runbooks.html(name)) if name else None
