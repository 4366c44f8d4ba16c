"""What people read: an incident as a Slack message, a PagerDuty event, a Telegram text, a letter.

Each says the same in its channel's form: what, how bad, where, since when, what to do. Lengths
are cut to the channel's limits, never inside an entity.
"""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from abops.alerts.model import IncidentDetail, IncidentSummary
from abops.alerts.storm.digest import Say

SLACK_SECTION: Final = 3_000
TELEGRAM_TEXT: Final = 4_096
PAGERDUTY_SUMMARY: Final = 1_024
_SHOWN_ALERTS: Final = 10
_SHOWN_IN_AN_HOUR: Final = 30
_TITLE: Final = 250
_MARK: Final = {"critical": "🔴", "warning": "🟠", "info": "🔵"}
_ELLIPSIS: Final = "…"


def headline(incident: IncidentSummary) -> str:
    """Say in one line what it is and how it stands."""
    state = {"open": incident.severity, "acked": "acknowledged", "resolved": "resolved"}
    word = state[incident.state].upper()
    return f"[{word}] {incident.title[:_TITLE]} (INC-{incident.number})"


def status_line(incident: IncidentSummary) -> str:
    """Say where, how many alerts, and who takes care."""
    parts = [
        f"{incident.service} in {incident.env}",
        f"{incident.firing} of {incident.alerts} alerts firing",
        f"since {incident.opened_at:%Y-%m-%d %H:%M:%S} UTC",
    ]
    if incident.acked_by:
        parts.append(f"{incident.acked_by} takes care of it")
    if incident.resolved_at is not None:
        parts.append(f"resolved {incident.resolved_at:%H:%M:%S} UTC")
    if incident.recurs is not None:
        parts.append(f"came back after INC-{incident.recurs}")
    return " · ".join(parts)


def cause_line(detail: IncidentDetail) -> str:
    """Say where it may have begun and what speaks most for it. Empty: nothing does."""
    if not detail.causes:
        return ""
    cause = detail.causes[0]
    why = f": {cause.terms[0]}" if cause.terms else ""
    return f"Likely cause {cause.entity} ({cause.share:.0%}){why}"


def reply(incident: IncidentSummary, kind: str) -> str:
    """Say in one line what has just changed."""
    mark = _MARK[incident.severity]
    if kind == "rise":
        return f"{mark} INC-{incident.number} is now {incident.severity}."
    if kind == "ack":
        return f"👀 {incident.acked_by} takes care of INC-{incident.number}."
    if kind == "unack":
        return f"{mark} INC-{incident.number} is open again: nobody takes care of it."
    if kind == "escalate":
        return (
            f"{mark} INC-{incident.number}: nobody has taken it;"
            f" escalated to level {incident.level}."
        )
    if kind == "remind":
        return f"{mark} INC-{incident.number} is still open: nobody has taken it."
    return f"✅ INC-{incident.number} is resolved: nothing fires any more."


def digest(detail: IncidentDetail, say: Say) -> str:
    """Say how a storm goes on: what came since the last message, and what stands for it."""
    number = detail.summary.number
    heads = {
        "first": f"🌪 A storm began (INC-{number}): {say.alerts:,} alerts so far.",
        "digest": f"🌪 {say.alerts:,} more alerts, {say.told.alerts:,} in all (INC-{number}).",
        "over": f"🌤 The storm is over (INC-{number}): {say.alerts:,} more alerts since,"
        f" {say.told.alerts:,} in all, {detail.summary.firing:,} still fire.",
    }
    lines = [heads.get(say.what, say.reason), *(f"• {line}" for line in _alert_lines(detail))]
    if detail.storm is not None and detail.storm.paged_alone:
        lines.append(f"{detail.storm.paged_alone} of them are told by themselves as well.")
    return "\n".join(lines)


def hourly(incidents: Sequence[IncidentSummary], base: str) -> tuple[str, tuple[str, ...]]:
    """Say in a line and some more what an hour brought that nobody has to hurry for."""
    count = "1 incident" if len(incidents) == 1 else f"{len(incidents)} incidents"
    shown = [
        f"• {headline(incident)}: {incident.firing} of {incident.alerts} alerts firing"
        for incident in incidents[:_SHOWN_IN_AN_HOUR]
    ]
    if len(incidents) > len(shown):
        shown.append(f"and {len(incidents) - len(shown)} more")
    return f"🕐 {count} in the hourly digest", (*shown, f"{base}/incidents")


def slack_blocks(detail: IncidentDetail, url: str) -> list[dict[str, Any]]:
    """Return the message's blocks; text in them is escaped as Slack asks."""
    incident = detail.summary
    mark = _mark(incident)
    lines = [f"{mark} *{_slack(headline(incident))}*", _slack(status_line(incident))]
    if detail.description:
        lines.append(_slack(detail.description))
    if detail.causes:
        lines.append(_slack(cause_line(detail)))
    links = [f"<{url}|Incident>"]
    if detail.runbook_url:
        links.append(f"<{_slack(detail.runbook_url)}|Runbook>")
    alerts = "\n".join(f"• {_slack(line)}" for line in _alert_lines(detail))
    blocks = [_section("\n".join(lines)), _section(alerts), _section(" · ".join(links))]
    return [block for block in blocks if block["text"]["text"]]


def pagerduty_payload(detail: IncidentDetail) -> dict[str, Any]:
    """Return the event's payload."""
    incident = detail.summary
    first = detail.members[0].alert if detail.members else None
    return {
        "summary": _cut(f"{incident.title} ({incident.env})", PAGERDUTY_SUMMARY),
        "source": incident.service or incident.env,
        "severity": incident.severity,
        "timestamp": (first.starts_at if first else incident.opened_at).isoformat(),
        "component": incident.service,
        "group": incident.env,
        "class": first.name if first else "alert",
        "custom_details": {
            "incident": f"INC-{incident.number}",
            "alerts": incident.alerts,
            "firing": list(_alert_lines(detail)),
            "description": _cut(detail.description, SLACK_SECTION),
            "likely_cause": cause_line(detail),
        },
    }


def pagerduty_links(detail: IncidentDetail, url: str) -> tuple[dict[str, str], ...]:
    """Return the links shown beside the event."""
    links = [{"href": url, "text": f"INC-{detail.summary.number}"}]
    if detail.runbook_url.startswith(("http://", "https://")):
        links.append({"href": detail.runbook_url, "text": "Runbook"})
    return tuple(links)


def telegram_html(detail: IncidentDetail, url: str) -> str:
    """Return the message in Telegram's HTML, cut between lines, so that no entity is broken."""
    incident = detail.summary
    links = [f'<a href="{escape(url)}">Incident</a>']
    if detail.runbook_url.startswith(("http://", "https://")):
        links.append(f'<a href="{escape(detail.runbook_url)}">Runbook</a>')
    lines = [
        f"{_mark(incident)} <b>{escape(headline(incident))}</b>",
        escape(status_line(incident)),
        escape(_cut(detail.description, 500)),
        escape(_cut(cause_line(detail), 300)),
        " · ".join(links),
        *(f"• {escape(_cut(line, 300))}" for line in _alert_lines(detail)),
    ]
    return fit_lines([line for line in lines if line], TELEGRAM_TEXT)


def fit_lines(lines: Sequence[str], limit: int) -> str:
    """Join as many whole lines as fit; say so when some do not."""
    text = "\n".join(lines)
    if len(text) <= limit:
        return text
    kept: list[str] = []
    room = limit - len(_ELLIPSIS) - 1
    for line in lines:
        if len(line) + 1 > room:
            break
        kept.append(line)
        room -= len(line) + 1
    return "\n".join([*kept, _ELLIPSIS])


def letter_text(detail: IncidentDetail, url: str, ack_url: str = "") -> str:
    """Return an incident as plain text, while it is open with where to acknowledge it."""
    offered = ack_url and detail.summary.state == "open"
    lines = [
        headline(detail.summary),
        status_line(detail.summary),
        detail.description,
        cause_line(detail),
        url,
        f"I take care of it: {ack_url}" if offered else "",
    ]
    return "\n".join([line for line in lines if line] + list(_alert_lines(detail))) + "\n"


def _alert_lines(detail: IncidentDetail) -> Sequence[str]:
    if detail.storm is not None:
        return [
            f"{s.kind} on {s.entity}" + (f", for {s.stands_for:,}" if s.stands_for > 1 else "")
            for s in detail.storm.samples[:_SHOWN_ALERTS]
        ]
    shown = detail.members[:_SHOWN_ALERTS]
    lines = [
        f"{m.alert.name}: {m.alert.annotations.get('summary', '') or _where(m.alert.labels)}"
        + (" (over)" if m.alert.state == "resolved" else "")
        + (" (flaps)" if m.alert.flapping else "")
        for m in shown
    ]
    more = detail.summary.alerts - len(shown)
    return [*lines, f"and {more} more"] if more > 0 else lines


def _where(labels: dict[str, str]) -> str:
    return labels.get("instance") or labels.get("pod") or labels.get("service", "")


def _mark(incident: IncidentSummary) -> str:
    return {"resolved": "✅", "acked": "👀"}.get(incident.state, _MARK[incident.severity])


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut_lines(text)}}


def _cut_lines(text: str) -> str:
    return fit_lines([_cut_escaped(line, SLACK_SECTION - 10) for line in text.split("\n")], 3_000)


def _cut_escaped(text: str, limit: int) -> str:
    """Cut, but not inside an entity such as &amp;."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    start = head.rfind("&")
    if start != -1 and ";" not in head[start:]:
        head = head[:start]
    return head + _ELLIPSIS


def slack_text(text: str) -> str:
    """Return plain text as Slack takes it."""
    return _cut_lines(_slack(text))


def telegram_text(text: str) -> str:
    """Return plain text as Telegram takes it, cut between lines."""
    return fit_lines([escape(_cut(line, 300)) for line in text.split("\n")], TELEGRAM_TEXT)


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + _ELLIPSIS
