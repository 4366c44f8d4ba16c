"""The weekly report: what happened, how fast people were there, what was noisy. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape
from statistics import median
from typing import Any

from msgspec import Struct

_NOISIEST = 5


class WeeklyReport(Struct, frozen=True):
    """The report in both forms."""

    subject: str
    text: str
    html: str


def weekly(incidents: Sequence[dict[str, Any]], *, now: datetime, name: str) -> WeeklyReport:
    """Write the report over the incidents of the last seven days, as the API gives them."""
    since = now - timedelta(days=7)
    recent = [i for i in incidents if datetime.fromisoformat(i["opened_at"]) >= since]
    severities = Counter(i["severity"] for i in recent)
    unresolved = [i for i in recent if i["state"] != "resolved"]
    figures = [
        ("Incidents", str(len(recent))),
        ("of them critical", str(severities["critical"])),
        ("Alerts", str(sum(i["alerts"] for i in recent))),
        ("Median time to acknowledge", _minutes(_spans(recent, "acked_at"))),
        ("Median time to resolve", _minutes(_spans(recent, "resolved_at"))),
        ("Still open", str(len(unresolved))),
    ]
    noisy = Counter(f"{i['title'].partition(':')[0]} on {i['service']}" for i in recent)
    noisiest = [(what, str(count)) for what, count in noisy.most_common(_NOISIEST)]
    open_now = [(f"INC-{i['number']}", i["title"]) for i in unresolved]
    sections = [("Figures", figures), ("Most frequent", noisiest), ("Still open", open_now)]
    period = f"{since:%Y-%m-%d} to {now:%Y-%m-%d}"
    return WeeklyReport(
        subject=f"{name}: {len(recent)} incidents, {period}",
        text=_text(f"{name}, {period}", sections),
        html=_html(f"{name}, {period}", sections),
    )


def _spans(incidents: Iterable[dict[str, Any]], end: str) -> list[float]:
    return [
        (datetime.fromisoformat(i[end]) - datetime.fromisoformat(i["opened_at"])).total_seconds()
        for i in incidents
        if i.get(end)
    ]


def _minutes(spans: Sequence[float]) -> str:
    return f"{median(spans) / 60:.1f} min" if spans else "-"


def _text(title: str, sections: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    lines = [title, ""]
    for heading, rows in sections:
        lines += [heading, *(f"  {left}: {right}" for left, right in rows or [("none", "")]), ""]
    return "\n".join(lines)


def _html(title: str, sections: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    parts = [f"<h1>{escape(title)}</h1>"]
    for heading, rows in sections:
        cells = "".join(
            f"<tr><td>{escape(left)}</td><td>{escape(right)}</td></tr>" for left, right in rows
        )
        parts.append(
            f"<h2>{escape(heading)}</h2><table>{cells or '<tr><td>none</td></tr>'}</table>"
        )
    return "<!doctype html><html><body>" + "".join(parts) + "</body></html>"
