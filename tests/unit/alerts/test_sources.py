"""Alerts in every sender's form, and what becomes of those that cannot be read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from abops.alerts.ingest.changes import decode_changes
from abops.alerts.ingest.kubernetes_events import LASTS
from abops.alerts.ingest.sources import DECODERS, HINTS, Source, decode_from
from abops.alerts.ingest.webhook import Decoded, MalformedBodyError

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
LABELS = {"alertname": "DiskFull", "service": "api", "severity": "warning"}


def read(source: Source, said: object) -> Decoded:
    return decode_from(source, json.dumps(said).encode(), ("replica",), NOW)


def test_the_generic_form_needs_a_status_and_labels() -> None:
    found = read("generic", {"status": "firing", "labels": LABELS})
    assert [("firing", NOW, None, "generic")] == [
        (e.status, e.starts_at, e.ends_at, e.source) for e in found.events
    ]
    over = read("generic", [{"status": "resolved", "labels": LABELS}]).events[0]
    assert ("resolved", NOW, found.events[0].fingerprint) == (
        over.status,
        over.ends_at,
        over.fingerprint,
    )


def test_one_alert_of_a_list_that_cannot_be_read_spoils_no_other() -> None:
    good = {"status": "firing", "labels": LABELS, "starts_at": NOW.isoformat()}
    bad: list[Any] = [
        {"status": "burning", "labels": LABELS},
        {"status": "firing", "labels": {"no": "name"}},
        {"status": "firing", "labels": LABELS, "starts_at": "2026-11-25T08:00:00"},
        7,
    ]
    found = read("generic", [bad[0], good, *bad[1:]])
    assert (1, [0, 2, 3, 4]) == (len(found.events), [r.position for r in found.rejected])


@pytest.mark.parametrize("source", list(DECODERS))
@pytest.mark.parametrize("body", [b"", b"{", b"[", b"7", b"\xff", b'"text"', b"null", b'{"a":1}'])
def test_what_is_no_alert_is_refused_with_the_form_of_its_sender(
    source: Source, body: bytes
) -> None:
    if body == b'{"a":1}' and source == "kubernetes":
        assert () == decode_from(source, body, (), NOW).events  # neither a warning nor alarming
        return
    with pytest.raises(MalformedBodyError) as refused:
        decode_from(source, body, (), NOW)
    assert HINTS[source] == refused.value.hint


def test_prometheus_says_the_end_ahead_and_it_comes_when_nobody_repeats_it() -> None:
    ends = NOW + timedelta(minutes=4)
    said = {"labels": LABELS, "startsAt": NOW.isoformat(), "endsAt": ends.isoformat()}
    found = read("prometheus", [said])
    event = found.events[0]
    assert ("firing", None, {event.fingerprint: ends.timestamp()}) == (
        event.status,
        event.ends_at,
        found.due,
    )
    over = read("prometheus", [{**said, "endsAt": NOW.isoformat()}])
    assert ("resolved", NOW, {}) == (over.events[0].status, over.events[0].ends_at, over.due)
    never = read("prometheus", [{**said, "endsAt": "0001-01-01T00:00:00Z"}])
    assert ("firing", {}) == (never.events[0].status, never.due)


def test_grafanas_links_and_values_become_annotations() -> None:
    alert = {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "full"},
        "startsAt": NOW.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "dashboardURL": "http://127.0.0.1:3000/d/1",
        "panelURL": "",
        "values": {"A": 91.5},
    }
    found = read("grafana", {"receiver": "x", "status": "firing", "alerts": [alert]})
    assert {
        "summary": "full",
        "dashboard_url": "http://127.0.0.1:3000/d/1",
        "value_A": "91.5",
    } == found.events[0].annotations


def an_event(**more: object) -> dict[str, object]:
    return {
        "kind": "Event",
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting\nfailed container",
        "involvedObject": {"kind": "Pod", "namespace": "prod", "name": "api-6d4cf56db6-x2x9z"},
        "lastTimestamp": NOW.isoformat(),
    } | more


def test_a_warning_of_the_cluster_is_an_alert_that_ends_by_itself() -> None:
    found = read(
        "kubernetes", {"kind": "EventList", "items": [an_event(), an_event(type="Normal")]}
    )
    assert 1 == len(found.events)
    event = found.events[0]
    expected = {
        "alertname": "KubernetesBackOff",
        "severity": "warning",
        "category": "kubernetes",
        "kind": "Pod",
        "namespace": "prod",
        "service": "api",
        "pod": "api-6d4cf56db6-x2x9z",
    }
    assert expected == event.labels
    assert {event.fingerprint: (NOW + LASTS).timestamp()} == found.due
    assert "Back-off restarting failed container" == event.annotations["summary"]


def test_a_watch_and_the_newer_form_of_events_are_read() -> None:
    newer = {
        "type": "Warning",
        "reason": "FailedMount",
        "note": "no disk",
        "regarding": {"kind": "Pod", "name": "db-0", "namespace": "prod"},
        "series": {"lastObservedTime": (NOW - timedelta(minutes=1)).isoformat()},
    }
    found = read("kubernetes", {"type": "MODIFIED", "object": newer}).events[0]
    assert ("db", NOW - timedelta(minutes=1)) == (found.labels["service"], found.starts_at)
    assert () == read("kubernetes", {"type": "DELETED", "object": newer}).events
    assert 1 == len(read("kubernetes", [an_event(reason=7)]).rejected)


def test_a_change_is_known_by_its_key_or_by_what_it_says() -> None:
    deploy = {"kind": "deploy", "service": "api", "title": "v2", "at": NOW.isoformat()}

    def keys(said: object) -> list[str]:
        return [key for key, _, _ in decode_changes(json.dumps(said).encode(), NOW)]

    assert keys(deploy) == keys([deploy])
    assert keys(deploy) != keys({**deploy, "title": "v3"})
    assert keys({**deploy, "key": "1"}) == keys({**deploy, "key": "1", "title": "v3"})
    with pytest.raises(MalformedBodyError) as refused:
        keys([{"kind": "deploy"}])
    assert "kind, service and title" in refused.value.hint
