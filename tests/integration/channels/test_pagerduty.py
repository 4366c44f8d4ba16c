import hmac

import httpx2
import msgspec
import pytest

from support.channels import SECRETS, Channels, listener

ONE_OF = "must be one of the following:"


def event(
    action: str = "trigger", dedup_key: str | None = "inc-1", **changes: object
) -> dict[str, object]:
    body: dict[str, object] = {"routing_key": SECRETS["pd-dev"], "event_action": action}
    if dedup_key is not None:
        body["dedup_key"] = dedup_key
    if action == "trigger":
        body["payload"] = {"summary": "api is down", "source": "api-1", "severity": "critical"}
    return body | changes


def send(channels: Channels, body: object) -> httpx2.Response:
    return httpx2.post(f"{channels.url('pagerduty')}/v2/enqueue", json=body)


def incidents(channels: Channels, dedup_key: str) -> list[tuple[str, int]]:
    known = httpx2.get(f"{channels.url('pagerduty')}/incidents").json()
    return [(i["status"], i["events"]) for i in known if i["dedup_key"] == dedup_key]


def test_a_key_names_one_incident_until_it_is_resolved(channels: Channels) -> None:
    answer = send(channels, event(dedup_key="life"))
    assert (202, {"status": "success", "message": "Event processed", "dedup_key": "life"}) == (
        answer.status_code,
        answer.json(),
    )
    send(channels, event(dedup_key="life"))
    assert [("triggered", 2)] == incidents(channels, "life")
    send(channels, event("acknowledge", "life"))
    assert [("acknowledged", 2)] == incidents(channels, "life")
    send(channels, event("resolve", "life"))
    send(channels, event(dedup_key="life"))
    assert [("resolved", 2), ("triggered", 1)] == incidents(channels, "life")
    assert ["critical", "critical", "critical", "resolved", "critical"] == [
        record["severity"] for record in channels.received("pagerduty")
    ]


def test_a_trigger_without_a_key_is_given_one(channels: Channels) -> None:
    assert 32 == len(send(channels, event(dedup_key=None)).json()["dedup_key"])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (event(routing_key=""), "'routing_key' is missing or blank"),
        (
            event(routing_key="short"),
            "Length of 'routing_key' is incorrect (should be 32 characters)",
        ),
        (event(routing_key="f" * 32), "Invalid routing key"),
        (event(event_action=None), "'event_action' is missing or blank"),
        (
            event(event_action="close"),
            f"'event_action' is invalid ({ONE_OF} 'trigger', 'acknowledge' or 'resolve')",
        ),
        (event("resolve", None), "'dedup_key' is missing or blank"),
        (event(dedup_key="k" * 256), "'dedup_key' is too long (maximum is 255 characters)"),
        (event(payload=None), "'payload' is missing or blank"),
        (
            event(payload={"summary": "s" * 1_025, "source": "a", "severity": "info"}),
            "'summary' is too long (maximum is 1024 characters)",
        ),
        (
            event(payload={"summary": "s", "source": "a", "severity": "fatal"}),
            f"'payload.severity' is invalid ({ONE_OF} 'critical', 'error', 'warning' or 'info')",
        ),
        (
            event(payload={"summary": "s", "severity": "info"}),
            "'payload.source' is missing or blank",
        ),
        ([], "Event object format is unrecognized"),
    ],
)
def test_an_invalid_event_is_refused_with_its_reason(
    channels: Channels, body: object, error: str
) -> None:
    answer = send(channels, body)
    assert 400 == answer.status_code
    assert {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": [error],
    } == answer.json()
    assert [error] == [violation["rule"] for violation in channels.violations("pagerduty")]
    assert [] == channels.received("pagerduty")


def test_an_event_over_512_kib_is_too_large(channels: Channels) -> None:
    body = event(dedup_key="large", client="x" * 512 * 1024)
    assert 413 == send(channels, body).status_code
    assert ["limit"] == [violation["kind"] for violation in channels.violations("pagerduty")]


def test_the_121st_event_of_a_minute_is_throttled(channels: Channels) -> None:
    rotated = "abcdefabcdefabcdefabcdefabcdefab"  # an allowance of its own
    secret = channels.folder / "secrets" / "pd-dev"
    secret.write_text(rotated)
    try:
        with httpx2.Client(base_url=channels.url("pagerduty")) as client:
            body = event(dedup_key="many", routing_key=rotated)
            statuses = [client.post("/v2/enqueue", json=body).status_code for _ in range(121)]
    finally:
        secret.write_text(SECRETS["pd-dev"])
    assert [202] * 120 + [429] == statuses
    assert ["120 events a minute per key"] == [
        violation["rule"] for violation in channels.violations("pagerduty")
    ]


def test_a_routing_key_is_not_recorded(channels: Channels) -> None:
    send(channels, event(dedup_key="masked"))
    assert "***cdef" == channels.received("pagerduty")[0]["payload"]["routing_key"]


def test_an_acknowledged_page_arrives_as_a_signed_webhook(channels: Channels) -> None:
    send(channels, event(dedup_key="pressed"))
    with listener() as heard:
        press = {"action": "ack", "dedup_key": "pressed", "url": heard.url}
        told = httpx2.post(f"{channels.url('pagerduty')}/_press", json=press)
    assert 200 == told.json()["status"]
    headers, body = heard.requests[0]
    signature = hmac.new(SECRETS["pd-hook"].encode(), body, "sha256").hexdigest()
    assert f"v1={signature}" == headers["x-pagerduty-signature"]
    sent = msgspec.json.decode(body)["event"]
    assert ("incident.acknowledged", "pressed") == (
        sent["event_type"],
        sent["data"]["incident_key"],
    )
    assert [("acknowledged", 1)] == incidents(channels, "pressed")
