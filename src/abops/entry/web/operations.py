"""What every route of the API takes and answers, as one table.

Bodies are read raw, so the routes themselves say nothing of them. Whom a route is for is not
written here: the gate's own table says it.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field

from abops.alerts.ingest.changes import Change
from abops.alerts.ingest.generic import GenericAlert, PostedAlert
from abops.alerts.ingest.grafana import GrafanaAlert
from abops.alerts.ingest.kubernetes_events import KubernetesEvent
from abops.alerts.ingest.webhook import SentAlert
from abops.alerts.model import IncidentDetail, IncidentSummary, IngestResult, Readiness, Storm
from abops.alerts.service.comparing import Compared
from abops.alerts.service.period import Statistics
from abops.alerts.service.report import WeeklyReport
from abops.alerts.service.scoring import Trained
from abops.alerts.store.changes import StoredChange
from abops.alerts.store.duty import PageRow
from abops.entry.web.actions_api import (
    Assigning,
    CallingNoise,
    Counted,
    Explained,
    Noting,
    Resolving,
)
from abops.entry.web.alerts_api import STATES, Merging, Splitting
from abops.entry.web.demands import demand_of, is_open
from abops.entry.web.duty_api import (
    ChannelState,
    Ended,
    Made,
    OnDuty,
    Planning,
    ShownSilence,
    Silencing,
)
from abops.entry.web.people_api import Code, Done, Linked, Unlinked
from abops.entry.web.reports_api import MOST_DAYS


class Acking(Struct, frozen=True):
    """Who takes care."""

    by: str = "api"


class Parameter(Struct, frozen=True):
    """A parameter of the query: what it is, and what it may be."""

    what: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


class Operation(Struct, frozen=True):
    """What a route takes and answers."""

    answer: Any = None
    body: Any = None
    wrapped: str = ""
    """The field of an object in which the body's list stands."""
    either: bool = False
    """Whether one is taken as well as a list of them."""
    query: Mapping[str, Parameter] = {}
    refusals: tuple[int, ...] = ()
    media: str = "application/json"
    success: int = 200
    own: bool = False
    """Whether it is about whoever is signed in, so that no program may ask."""


Key = tuple[str, str]
"""Method and path."""


def _whole(least: int, most: int) -> Parameter:
    what = f"a whole number from {least} to {most}"
    return Parameter(what, {"type": "integer", "minimum": least, "maximum": most})


_MOMENT: Final = _whole(0, 2**40)
_ONE_TO_MOST: Final = _whole(1, 1_000)
_STATE: Final = Parameter("how it stands", {"type": "string", "enum": list(STATES)})
_LABEL: Final = Parameter("a label")
_TAKEN: Final = (400, 401, 403, 413, 503)
_ACTED: Final = (400, 401, 403, 404, 409, 413, 503)
_KEPT: Final = (400, 401, 403, 413, 503)
_ENDED: Final = (400, 401, 403, 404, 503)
_READ: Final = (400, 401, 403, 503)
_SEEN: Final = (401, 403, 503)
_BY: Final = {"by": Parameter("a name")}

_INTAKE: Final[dict[Key, Operation]] = {
    ("post", "/v1/alertmanager"): Operation(
        IngestResult, SentAlert, wrapped="alerts", refusals=_TAKEN
    ),
    ("post", "/v1/heartbeat/alertmanager"): Operation(refusals=_TAKEN),
    ("post", "/v1/generic"): Operation(IngestResult, GenericAlert, either=True, refusals=_TAKEN),
    ("post", "/v1/grafana"): Operation(
        IngestResult, GrafanaAlert, wrapped="alerts", refusals=_TAKEN
    ),
    ("post", "/v1/kubernetes-events"): Operation(
        IngestResult, KubernetesEvent, either=True, refusals=_TAKEN
    ),
    ("post", "/api/v2/alerts"): Operation(IngestResult, list[PostedAlert], refusals=_TAKEN),
    ("post", "/v1/changes"): Operation(IngestResult, Change, either=True, refusals=_TAKEN),
    ("get", "/v1/changes"): Operation(
        list[StoredChange],
        query={
            "since": _MOMENT,
            "until": _MOMENT,
            "service": Parameter("a service"),
            "limit": _ONE_TO_MOST,
        },
        refusals=_READ,
    ),
}
_INCIDENTS: Final[dict[Key, Operation]] = {
    ("get", "/v1/incidents"): Operation(
        list[IncidentSummary],
        query={"state": _STATE, "limit": _ONE_TO_MOST, "since": _MOMENT},
        refusals=_READ,
    ),
    ("get", "/v1/incidents/{number}"): Operation(
        IncidentDetail, query={"alerts": _ONE_TO_MOST}, refusals=(*_READ, 404)
    ),
    ("get", "/v1/incidents/{number}/pages"): Operation(list[PageRow], refusals=(*_SEEN, 404)),
    ("post", "/v1/incidents/{number}/ack"): Operation(IncidentSummary, Acking, refusals=_ACTED),
    ("delete", "/v1/incidents/{number}/ack"): Operation(
        IncidentSummary, query=_BY, refusals=_ACTED
    ),
    ("post", "/v1/incidents/{number}/resolve"): Operation(
        IncidentSummary, Resolving, refusals=_ACTED
    ),
    ("post", "/v1/incidents/{number}/assign"): Operation(
        IncidentSummary, Assigning, refusals=_ACTED
    ),
    ("post", "/v1/incidents/{number}/note"): Operation(IncidentSummary, Noting, refusals=_ACTED),
    ("post", "/v1/incidents/{number}/noise"): Operation(
        IncidentSummary, CallingNoise, refusals=_ACTED
    ),
    ("post", "/v1/incidents/{number}/merge"): Operation(IncidentSummary, Merging, refusals=_ACTED),
    ("post", "/v1/incidents/{number}/split"): Operation(
        IncidentSummary, Splitting, refusals=_ACTED
    ),
    ("get", "/v1/events"): Operation(media="text/event-stream", refusals=(401, 403)),
}
_DUTY: Final[dict[Key, Operation]] = {
    ("get", "/v1/silences"): Operation(list[ShownSilence], refusals=_SEEN),
    ("post", "/v1/silences"): Operation(Made, Silencing, refusals=_KEPT, success=201),
    ("delete", "/v1/silences/{number}"): Operation(Ended, query=_BY, refusals=_ENDED),
    ("get", "/v1/windows"): Operation(list[ShownSilence], refusals=_SEEN),
    ("post", "/v1/windows"): Operation(Made, Planning, refusals=_KEPT, success=201),
    ("delete", "/v1/windows/{number}"): Operation(Ended, query=_BY, refusals=_ENDED),
    ("get", "/v1/oncall"): Operation(list[OnDuty], refusals=_SEEN),
    ("get", "/v1/channels"): Operation(list[ChannelState], refusals=_SEEN),
    ("post", "/v1/reconcile"): Operation(Compared, refusals=(401, 403, 409, 503)),
    ("get", "/v1/routes/explain"): Operation(
        Explained,
        query={"severity": _LABEL, "service": _LABEL, "category": _LABEL},
        refusals=_READ,
    ),
}
_FIGURES: Final[dict[Key, Operation]] = {
    ("get", "/v1/statistics"): Operation(
        Counted, query={"since": _MOMENT, "until": _MOMENT}, refusals=_READ
    ),
    ("get", "/v1/storms"): Operation(list[Storm], query={"limit": _ONE_TO_MOST}, refusals=_READ),
    ("get", "/v1/reports/fatigue"): Operation(
        Statistics, query={"days": _whole(1, MOST_DAYS)}, refusals=_READ
    ),
    ("get", "/v1/reports/weekly"): Operation(
        WeeklyReport, query={"name": Parameter("what the report is called after")}, refusals=_SEEN
    ),
    ("post", "/v1/train"): Operation(Trained, refusals=_SEEN),
}
_PEOPLE: Final[dict[Key, Operation]] = {
    ("post", "/v1/me/link-code"): Operation(
        Code, refusals=(401, 403, 404, 503), success=201, own=True
    ),
    ("get", "/v1/me/accounts"): Operation(dict[str, str], refusals=_SEEN, own=True),
    ("delete", "/v1/me/accounts/{via}"): Operation(Unlinked, refusals=_ENDED, own=True),
    ("get", "/v1/users/accounts"): Operation(dict[str, dict[str, str]], refusals=_SEEN),
    ("put", "/v1/users/{name}/accounts"): Operation(Done, Linked, refusals=(*_KEPT, 404)),
    ("delete", "/v1/users/{name}/accounts/{via}"): Operation(Unlinked, refusals=_ENDED),
}
_OPEN: Final[dict[Key, Operation]] = {
    ("get", "/healthz"): Operation(),
    ("get", "/readyz"): Operation(Readiness, refusals=(503,)),
    ("get", "/metrics"): Operation(media="text/plain"),
    ("post", "/v1/callbacks/slack"): Operation(refusals=(400, 401, 413, 503)),
    ("post", "/v1/callbacks/pagerduty"): Operation(refusals=(401, 413, 503)),
    ("post", "/v1/callbacks/telegram"): Operation(refusals=(401, 413, 503)),
}
OPERATIONS: Final[dict[Key, Operation]] = {
    **_INTAKE,
    **_INCIDENTS,
    **_DUTY,
    **_FIGURES,
    **_PEOPLE,
    **_OPEN,
}


def ability_of(method: str, path: str) -> str:
    """Return what somebody has to be able to do to ask for this. Empty: everybody may."""
    return "" if is_open(path) else demand_of(method.upper(), path)
