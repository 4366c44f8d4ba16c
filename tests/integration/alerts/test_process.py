"""The service as its own process: what it answers over HTTP, and that it survives kill -9."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.alerts import ROOT, TOKEN, Process, a_body, a_process, an_alert
from support.channels import Channels
from support.servers import wait_until

MIB = 2**20


@pytest.fixture(scope="module")
def process(
    running_channels: Channels,
    tmp_path_factory: pytest.TempPathFactory,
    store_of_module: str,
) -> Iterator[Process]:
    """Run one for the module, and another for each store: it depends on the store's fixture."""
    del store_of_module
    with a_process(running_channels, tmp_path_factory.mktemp("service")) as process:
        yield process


def test_without_the_token_nothing_is_taken(process: Process) -> None:
    for value in ("", "Bearer wrong", "Basic ingest-token-of-the-tests", "Bearer"):
        answer = httpx2.post(
            f"{process.server.url}/v1/alertmanager",
            content=a_body(an_alert()),
            headers={"Authorization": value},
        )
        assert (401, "Bearer") == (answer.status_code, answer.headers["WWW-Authenticate"])
    assert 401 == httpx2.post(f"{process.server.url}/v1/heartbeat/alertmanager").status_code


def test_unknown_fields_are_ignored(process: Process) -> None:
    body = a_body({**an_alert(severity="info"), "novel": {"a": 1}}, future=[1])
    answer = process.client.post("/v1/alertmanager", content=body)
    assert (200, {"accepted": 1, "duplicates": 0, "rejected": 0}) == (
        answer.status_code,
        answer.json(),
    )


def test_what_is_not_json_is_answered_with_the_place(process: Process) -> None:
    answer = process.client.post("/v1/alertmanager", content=b'{"alerts": !}')
    assert 400 == answer.status_code
    assert {
        "error": "the body cannot be read: JSON is malformed: invalid character (byte 11)",
        "hint": "Send the JSON of Alertmanager's webhook, version 4: an object with `alerts`,"
        " a list.",
        "position": 11,
    } == answer.json()


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_body_of_40_mib_is_too_large(process: Process, chunked: bool) -> None:  # noqa: FBT001 - a case
    body = b" " * (40 * MIB)
    parts = (body[i : i + MIB] for i in range(0, len(body), MIB))
    answer = process.client.post("/v1/alertmanager", content=parts if chunked else body)
    assert 413 == answer.status_code
    assert "The body is larger than 32 MiB." == answer.json()["error"]


def test_a_body_of_10000_alerts_is_taken(process: Process) -> None:
    alerts = [an_alert(f"Many{n}", severity="info", service="many") for n in range(10_000)]
    answer = process.client.post("/v1/alertmanager", content=a_body(*alerts), timeout=30)
    assert (200, 10_000) == (answer.status_code, answer.json()["accepted"])


def run_abops(process: Process, *words: str) -> subprocess.CompletedProcess[str]:
    url = str(process.client.base_url)
    argv = [Path(sys.executable).with_name("abops"), "alerts", *words, "--service", url]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_incidents_are_listed_shown_and_acknowledged(process: Process) -> None:
    process.post(an_alert("Listed", severity="info", service="listed"))

    def mine() -> list[dict[str, object]]:
        found = process.client.get("/v1/incidents?state=open&limit=500").json()
        return [incident for incident in found if incident["service"] == "listed"]

    wait_until(lambda: bool(mine()), what="the incident is open", timeout_s=10)
    number = mine()[0]["number"]
    detail = process.client.get(f"/v1/incidents/{number}").json()
    assert "Listed" == detail["members"][0]["alert"]["name"]
    changed = process.client.post(f"/v1/incidents/{number}/ack", json={"by": "ana"}).json()
    assert ("acked", "ana") == (changed["state"], changed["acked_by"])
    assert [] == mine()
    opened = process.client.delete(f"/v1/incidents/{number}/ack?by=bo").json()
    assert ("open", "", None) == (opened["state"], opened["acked_by"], opened["acked_at"])
    done = run_abops(process, "ack", str(number), "--by", "cy")
    assert f"INC-{number} is acked: cy takes care of it\n" == done.stdout
    done = run_abops(process, "unack", str(number), "--by", "cy")
    assert (0, f"INC-{number} is open: nobody takes care of it\n") == (done.returncode, done.stdout)
    last = process.client.get(f"/v1/incidents/{number}").json()["timeline"][-1]
    assert ("unacked", "cy") == (last["kind"], last["actor"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/incidents/999999", 404),
        ("/v1/incidents/nope", 404),
        ("/v1/incidents?limit=0", 400),
        ("/v1/incidents?limit=x", 400),
        ("/v1/incidents?state=odd", 400),
    ],
)
def test_what_cannot_be_answered_says_why(process: Process, path: str, status: int) -> None:
    answer = process.client.get(path)
    assert status == answer.status_code
    assert {"error", "hint"} == set(answer.json())


def test_another_sites_page_cannot_acknowledge(process: Process) -> None:
    answer = process.client.post("/v1/incidents/1/ack", headers={"Sec-Fetch-Site": "cross-site"})
    assert 403 == answer.status_code


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_without_a_token_nothing_is_told_and_nobody_acts(process: Process, method: str) -> None:
    path = "/v1/incidents" if method == "GET" else "/v1/incidents/1/ack"
    answer = httpx2.request(method, f"{process.server.url}{path}")
    assert (401, "Bearer") == (answer.status_code, answer.headers["WWW-Authenticate"])
    page = httpx2.get(f"{process.server.url}/incidents?state=open")
    assert (303, "/login?next=/incidents%3Fstate%3Dopen") == (
        page.status_code,
        page.headers["location"],
    )


def test_the_token_of_whoever_sends_alerts_reads_nothing(process: Process) -> None:
    answer = httpx2.get(
        f"{process.server.url}/v1/incidents", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert 403 == answer.status_code


def test_taking_back_what_does_not_exist_says_why(process: Process) -> None:
    answer = process.client.delete("/v1/incidents/999999/ack")
    assert (404, {"error", "hint"}) == (answer.status_code, set(answer.json()))
    assert 1 == run_abops(process, "unack", "999999").returncode


def test_probes_and_metrics_answer(process: Process) -> None:
    codes = [process.client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")]
    assert [200, 200, 200] == codes


def test_events_are_streamed(process: Process) -> None:
    with process.client.stream("GET", "/v1/events") as stream:
        lines = stream.iter_lines()
        assert ": connected" == next(lines)
        process.post(an_alert("Streamed", severity="info", service="streamed"))
        data = next(line for line in lines if line.startswith("data: "))
    assert {"kind", "number", "at"} == set(json.loads(data.removeprefix("data: ")))


def test_a_wrong_environment_is_refused_in_words(tmp_path: Path) -> None:
    argv = [str(Path(sys.executable).with_name("abops")), "alerts", "serve", "--env", "moon"]
    argv += ["--inventory", str(ROOT / "platform.yaml"), "--data-dir", str(tmp_path)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert 2 == ended.returncode
    assert "there is no environment 'moon'; known: local, staging, production" in ended.stderr


def test_what_was_accepted_is_there_after_kill_9(channels: Channels, tmp_path: Path) -> None:
    with a_process(channels, tmp_path) as first:
        alerts = [an_alert(f"Kept{n}", severity="info", service="kept") for n in range(100)]
        assert 100 == first.post(*alerts).json()["accepted"]
        first.server.stop(sig=signal.SIGKILL)
    with a_process(channels, tmp_path) as second:
        assert 100 == second.post(*alerts).json()["duplicates"]

        def all_there() -> bool:
            found = second.client.get("/v1/incidents").json()
            return [(100, 100)] == [(i["alerts"], i["firing"]) for i in found]

        wait_until(all_there, what="100 alerts in one incident", timeout_s=10)


def test_incidents_are_merged_and_split(process: Process) -> None:
    alerts = [
        an_alert(f"{word}Torn", severity="info", service=f"torn-{word.lower()}", summary="")
        for word in ("Apple", "Bridge")
    ]
    process.post(*[{**alert, "annotations": {}} for alert in alerts])

    def mine() -> dict[str, dict[str, Any]]:
        found = process.client.get("/v1/incidents?limit=500").json()
        return {i["service"]: i for i in found if i["service"].startswith("torn-")}

    wait_until(lambda: len(mine()) == 2, what="two incidents are open", timeout_s=10)
    one, two = (mine()[service]["number"] for service in ("torn-apple", "torn-bridge"))
    done = run_abops(process, "merge", str(two), str(one), "--by", "ana")
    assert f"INC-{two} is part of INC-{one}, which has 2 alerts now\n" == done.stdout
    members = process.client.get(f"/v1/incidents/{one}").json()["members"]
    torn = next(m for m in members if m["alert"]["name"] == "BridgeTorn")
    assert f"merged from INC-{two}" == torn["reason"]
    asked = {"alerts": [torn["alert"]["fingerprint"]], "by": "bo"}
    new = process.client.post(f"/v1/incidents/{one}/split", json=asked).json()
    assert (1, "open") == (new["alerts"], new["state"])
    refused = process.client.post(f"/v1/incidents/{one}/merge", json={"into": one})
    assert 409 == refused.status_code
    unread = process.client.post(f"/v1/incidents/{one}/merge", json={"into": "x"})
    assert 400 == unread.status_code
