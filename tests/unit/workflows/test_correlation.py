"""Grouping alerts from a file: the incidents, the reasons, what cannot be read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from abops.alerts.ingest.webhook import MalformedBodyError
from abops.workflows.correlation import Found, group, read_events

CALLS = (("api", "postgres"), ("bot", "telegram"), ("bot", "postgres"))
NIGHT = datetime(2026, 11, 25, 3, tzinfo=UTC)


def an_alert(name: str, service: str, at_s: float, severity: str = "critical") -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": name, "service": service, "severity": severity, "env": "prod"},
        "startsAt": (NIGHT + timedelta(seconds=at_s)).isoformat(),
    }


DATABASE = an_alert("PostgresDown", "postgres", 0)
STORM = an_alert("ApiErrorStorm", "api", 12)
TELEGRAM = an_alert("TelegramAway", "telegram", 60)
BOT = an_alert("BotHandlerErrors", "bot", 69, "warning")


def groups(*alerts: dict[str, Any]) -> tuple[Found, ...]:
    return group(read_events(json.dumps({"alerts": alerts}).encode()), CALLS)


def test_a_fault_is_one_incident_with_its_cause() -> None:
    (found,) = groups(STORM, DATABASE)
    assert ("postgres", "critical", NIGHT) == (found.cause, found.severity, found.began_at)
    assert ["PostgresDown", "ApiErrorStorm"] == [part.name for part in found.alerts]
    assert "api calls postgres, 12 s before" == found.alerts[1].reason


def test_two_faults_stay_two_until_an_alert_ties_them_together() -> None:
    assert [["PostgresDown"], ["TelegramAway"]] == [
        [part.name for part in found.alerts] for found in groups(DATABASE, TELEGRAM)
    ]
    (found,) = groups(DATABASE, TELEGRAM, BOT)
    assert 3 == len(found.alerts)


def test_lines_and_webhook_bodies_say_the_same() -> None:
    lines = b"\n".join(json.dumps(alert).encode() for alert in (DATABASE, STORM))
    bodies = b"\n".join(json.dumps({"alerts": [a]}).encode() for a in (DATABASE, STORM))
    whole = json.dumps({"alerts": [DATABASE, STORM]}).encode()
    assert read_events(whole) == read_events(lines) == read_events(bodies)


def test_what_always_fires_is_left_out() -> None:
    assert () == groups(an_alert("Watchdog", "prometheus", 0))


def test_a_line_that_cannot_be_read_is_named() -> None:
    with pytest.raises(MalformedBodyError, match="line 2: "):
        read_events(json.dumps(DATABASE).encode() + b"\n{nope\n")


def test_a_test_alert_stands_alone_as_in_the_service() -> None:
    rehearsal = an_alert("AbopsTestAlert", "postgres", 5)
    rehearsal["labels"]["test"] = "true"
    assert [["PostgresDown", "ApiErrorStorm"], ["AbopsTestAlert"]] == [
        [part.name for part in found.alerts] for found in groups(DATABASE, rehearsal, STORM)
    ]
