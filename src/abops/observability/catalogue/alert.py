"""The form of a catalogue entry: one threshold feeds the rule, its runbook and its tests."""

from datetime import timedelta
from typing import Literal

from msgspec import Struct

Severity = Literal["critical", "warning", "info", "none"]


class Runbook(Struct, frozen=True):
    """What the person who was paged needs, in Markdown. `impact` is the alert's own."""

    meaning: str
    diagnosis: str
    mitigation: str


class Fired(Struct, frozen=True):
    """One alert that a case expects: the labels and summary beyond those every alert has."""

    labels: dict[str, str] = {}
    summary: str = ""


class Case(Struct, frozen=True):
    """A moment of made-up history, and what fires then.

    `series` maps a series to promtool's notation of its values, one every `Alert.step`.
    """

    name: str
    series: dict[str, str]
    at: timedelta
    fires: tuple[Fired, ...] = ()


class Alert(Struct, frozen=True):
    """One alert of the catalogue.

    `expr` holds `{threshold}`; `hold` is the rule's `for`. `labels` beyond severity, team and
    service say where it belongs; `reason` says why the threshold is what it is.
    """

    name: str
    group: str
    severity: Severity
    expr: str
    threshold: float | None
    unit: str
    reason: str
    summary: str
    impact: str
    runbook: Runbook
    cases: tuple[Case, ...]
    labels: dict[str, str]
    hold: timedelta = timedelta()
    instance: str = ""
    """Tells entries of one alert name apart: the job, for alerts that exist once a job; the
    severity, for alerts that exist once a severity."""
    step: timedelta = timedelta()
    """Time between two samples and two evaluations of the cases; zero: as often as its group is
    evaluated. Long histories take longer steps: promtool's time grows with their number."""
    board: str = ""
    """Name of the board to look at: `ab-<board>`; empty: the list of incidents."""

    @property
    def promql(self) -> str:
        """Return the expression with its threshold."""
        if self.threshold is None:
            return self.expr
        return self.expr.replace("{threshold}", f"{self.threshold:g}")
