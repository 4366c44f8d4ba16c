import json
from datetime import UTC, datetime
from typing import Any

import pytest

from abops.alerts.ingest.webhook import MalformedBodyError, decode


def an_alert(**changed: object) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "ProbeFailed", "service": "api"},
        "annotations": {"summary": "no answer"},
        "startsAt": "2026-11-24T12:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "abc",
        **changed,
    }


def a_body(*alerts: object, **more: object) -> bytes:
    return json.dumps({"version": "4", "status": "firing", "alerts": alerts, **more}).encode()


def test_fields_that_are_not_known_are_ignored() -> None:
    decoded = decode(a_body(an_alert(future={"x": 1}), novelty=[1, 2]), ())
    assert ["ProbeFailed"] == [event.labels["alertname"] for event in decoded.events]


def test_while_it_fires_it_has_no_end() -> None:
    assert decode(a_body(an_alert()), ()).events[0].ends_at is None


def test_each_alert_has_its_own_status_whatever_the_group_says() -> None:
    over = an_alert(status="resolved", endsAt="2026-11-24T12:05:00Z")
    events = decode(a_body(an_alert(), over), ()).events
    assert ["firing", "resolved"] == [event.status for event in events]
    assert datetime(2026, 11, 24, 12, 5, tzinfo=UTC) == events[1].ends_at


def test_what_the_sender_left_out_is_counted() -> None:
    assert 7 == decode(a_body(an_alert(), truncatedAlerts=7), ()).truncated


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"status": "firing"}, "missing required field `labels`"),
        (an_alert(startsAt="noon"), "Invalid RFC3339 encoded datetime"),
        (an_alert(startsAt="2026-11-24T12:00:00"), "timezone component"),
        (an_alert(labels={"alertname": 1}), "Expected `str`, got `int`"),
        (an_alert(labels={"service": "api"}), "$.labels"),
        (an_alert(status="unknown"), "Invalid enum value 'unknown'"),
        ("text", "Expected `object`, got `str`"),
    ],
)
def test_one_bad_alert_is_set_aside_and_the_rest_is_taken(bad: object, said: str) -> None:
    decoded = decode(a_body(an_alert(), bad, an_alert(status="resolved")), ())
    assert ["firing", "resolved"] == [event.status for event in decoded.events]
    assert [1] == [rejected.position for rejected in decoded.rejected]
    assert said in decoded.rejected[0].error
    assert json.loads(decoded.rejected[0].content) == bad


@pytest.mark.parametrize(
    ("body", "said", "position"),
    [
        (b"{nope}", "malformed", 1),
        (b'{"alerts": [', "truncated", None),
        (b"", "truncated", None),
        (b'{"alerts": {}}', "Expected `array`, got `object` - at `$.alerts`", None),
        (b"[]", "Expected `object`, got `array`", None),
        (b'{"version": "4"}', "missing required field `alerts`", None),
        (b"\xff\xfe", "malformed", 0),
    ],
)
def test_what_is_no_webhook_is_answered_with_what_and_where(
    body: bytes, said: str, position: int | None
) -> None:
    with pytest.raises(MalformedBodyError, match="cannot be read") as caught:
        decode(body, ())
    assert said in str(caught.value)
    assert position == caught.value.position
