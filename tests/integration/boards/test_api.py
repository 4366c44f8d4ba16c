"""A board asked over HTTP, with a real Prometheus behind it."""

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from support.boards import GAP_S, UID, a_board, a_panel, a_past, write_board
from support.browser import Console, serving
from support.console import MemoryService
from support.history import start_prometheus, write_past
from support.servers import Server, free_port


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    return write_board(tmp_path / "boards")


@pytest.fixture
def console(prometheus: Server, boards: Path) -> Iterator[Console]:
    sources = Sources(prometheus=prometheus.url, dashboards=boards)
    with serving(create_app(MemoryService(), sources=sources)) as console:
        yield console


def ask(console: Console, end: float, uid: str = UID, **more: Any) -> dict[Any, dict[str, Any]]:  # noqa: ANN401 - any field
    """Return the answers by panel, the annotations by their name."""
    question = {"from": str(int(end - 3600)), "to": str(int(end))} | more
    response = httpx2.post(
        f"{console.url}/api/dashboards/{uid}/query", json=question, timeout=30
    ).raise_for_status()
    lines = [json.loads(line) for line in response.text.splitlines()]
    return {line.get("panel", line.get("annotation")): line for line in lines}


def test_every_panel_is_answered_once(console: Console, end: float) -> None:
    found = ask(console, end)
    assert {2, 3, 4, 6, 7, 8, 9, 11, 12, 13, "Critical alerts"} == set(found)
    status = {number: found[number]["status"] for number in found if isinstance(number, int)}
    assert {4: "empty", 8: "error"} == {k: v for k, v in status.items() if v != "ok"}


def test_a_gap_stays_a_gap(console: Console, end: float) -> None:
    panel = ask(console, end, panels=[7], vars={"env": "local", "service": "api"})[7]
    (line,) = panel["series"]
    moments = [
        panel["start"] + i * panel["step"] for i, v in enumerate(line["values"]) if v is None
    ]
    assert "api" == line["name"]
    assert moments
    # A sample counts until 5 minutes later: the gap begins where Prometheus stops to look back.
    assert all(GAP_S[0] - 30 < end - moment <= GAP_S[1] - 270 for moment in moments)


def test_variables_choose_series(console: Console, end: float) -> None:
    one = ask(console, end, panels=[6], vars={"service": "bot"})[6]
    assert ["bot"] == [line["name"] for line in one["series"]]
    both = ask(console, end, panels=[6], vars={"service": ["bot", "api"], "env": "local"})[6]
    assert ["api", "bot"] == sorted(line["name"] for line in both["series"])
    every = ask(console, end, panels=[7])[7]
    assert 3 == len(every["series"])


def test_a_value_that_is_no_name_selects_nothing_and_breaks_nothing(
    console: Console, end: float
) -> None:
    for value in ('api"} or up{env="', "a.i", "(", "\\", "api|bot", "x" * 5000):
        assert "empty" == ask(console, end, panels=[6], vars={"service": value})[6]["status"]


def test_answers_mean_what_was_written(console: Console, end: float) -> None:
    found = ask(console, end, vars={"env": "local"})
    assert [0.42] == found[3]["series"][0]["values"]
    assert ["service", "Value"] == [c["name"] for c in found[9]["table"]["columns"]]
    assert [["api", 3.0], ["bot", 12.0]] == [
        [name, min(value, 3.0) if name == "api" else value]
        for name, value in found[9]["table"]["rows"]
    ]
    buckets = {line["name"]: line["values"][-1] for line in found[11]["series"]}
    assert {"0.1": 5, "0.5": 6, "1": 1, "+Inf": 0} == buckets
    states = {line["name"]: line["values"] for line in found[12]["series"]}
    assert {1} == set(states["api"])
    assert {0, 1} == set(states["worker"])


def test_alerts_are_marks_from_their_first_to_their_last_sample(
    console: Console, end: float
) -> None:
    (event,) = ask(console, end)["Critical alerts"]["events"]
    assert "WorkerDown" == event["text"]
    assert abs(event["start"] - (end - 1200)) <= 60


def test_a_query_that_cannot_be_read_is_told_in_prometheus_words(
    console: Console, end: float
) -> None:
    error = ask(console, end, panels=[8])[8]["error"]
    assert "parse error" in error


def test_answers_come_compressed_and_line_by_line(console: Console, end: float) -> None:
    url = f"{console.url}/api/dashboards/{UID}/query"
    question = {"from": str(int(end - 3600)), "to": str(int(end))}
    with httpx2.stream("POST", url, json=question) as response:
        assert "gzip" == response.headers["content-encoding"]
        content = b"".join(response.iter_raw())
    plain = gzip.decompress(content)
    assert 11 == len(plain.splitlines())
    assert len(content) < len(plain) / 2


def test_wrong_questions_are_refused_with_a_reason(console: Console) -> None:
    url = f"{console.url}/api/dashboards"
    for path, body, status in (
        (f"/{UID}/query", {"from": "yesterday"}, 400),
        (f"/{UID}/query", {"from": "now-5000d"}, 400),
        (f"/{UID}/query", {"vars": 3}, 400),
        ("/nothing/query", {}, 404),
    ):
        response = httpx2.post(url + path, json=body)
        assert (status, True) == (response.status_code, bool(response.json()["hint"]))
    too_long = httpx2.post(f"{url}/{UID}/query", content=b" " * 100_000)
    assert 400 == too_long.status_code


def test_another_sites_page_cannot_ask(console: Console) -> None:
    url = f"{console.url}/api/dashboards/{UID}/query"
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert 403 == httpx2.post(url, json={}, headers=headers).status_code


def test_the_list_names_the_boards_and_a_bad_file_hurts_no_other(
    console: Console, boards: Path
) -> None:
    (boards / "bad.json").write_text('{"title": 1}')
    (found,) = httpx2.get(f"{console.url}/api/dashboards").json()
    assert (UID, "Small", 12) == (found["uid"], found["title"], found["panels"])
    page = httpx2.get(f"{console.url}/dashboards").text
    assert "Small" in page
    assert "bad.json" in page
    board = httpx2.get(f"{console.url}/api/dashboards/{UID}").json()
    assert ["Now", "Over time", "In detail"] == [row["title"] for row in board["rows"]]


def test_more_series_than_a_chart_holds_are_cut_and_said(
    console: Console, boards: Path, end: float
) -> None:
    many = " or ".join(f'label_replace(vector({i}), "n", "{i:03}", "", "")' for i in range(230))
    write_board(boards, a_board(a_panel(1, "timeseries", "Many", many), uid="ab-many"))
    found = ask(console, end, uid="ab-many")[1]
    assert 200 == len(found["series"])
    assert "30 more series are not shown" == found["note"]


def test_without_scripts_the_page_has_the_values(console: Console) -> None:
    page = httpx2.get(f"{console.url}/dashboards/{UID}?env=local&values=1").text
    assert "What requests is for." in page
    assert "42 %" in page
    assert "no data: nothing was measured" in page
    assert "parse error" in page


def test_a_prometheus_that_hangs_holds_up_no_page(boards: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        sources = Sources(prometheus=f"http://127.0.0.1:{hung.getsockname()[1]}", dashboards=boards)
        with serving(create_app(MemoryService(), sources=sources)) as console:
            page = httpx2.get(f"{console.url}/dashboards/{UID}?env=local", timeout=5)
    assert 200 == page.status_code
    assert "<option selected>local</option>" in page.text


def test_a_silent_prometheus_is_told_and_the_last_answer_comes_with_its_age(
    tmp_path: Path, boards: Path, end: float
) -> None:
    folder = tmp_path / "data"
    write_past(folder, a_past(end), start=end - 1800, end=end, step=60)
    port = free_port()
    sources = Sources(prometheus=f"http://127.0.0.1:{port}", dashboards=boards)
    with serving(create_app(MemoryService(), sources=sources)) as console:
        with start_prometheus(folder, port=port):
            assert "ok" == ask(console, end, panels=[6])[6]["status"]
        later = end + 60  # another window, so that no fresh answer is at hand
        found = ask(console, later)
        assert "stale" == found[6]["status"]
        assert found[6]["series"]
        assert "error" == found[7]["status"]
        assert "does not answer" in found[7]["error"]
        assert 200 == httpx2.get(f"{console.url}/dashboards/{UID}").status_code


def test_what_an_address_says_is_shown_as_text_or_refused(console: Console) -> None:
    for query, status in (
        ('env="><script>alert(1)</script>', 200),
        ("env=%00&service=%ED%A0%80", 200),
        ("env=" + "x" * 6000, 200),
        ("from=<b>", 400),
        ("from=now-99999999999999999999d", 400),
        ("from=99999999999999&to=99999999999999", 400),
        ("refresh=9999999999999999999999&values=1", 200),
    ):
        page = httpx2.get(f"{console.url}/dashboards/{UID}?{query}")
        assert status == page.status_code, query[:40]
        assert "<script>alert" not in page.text
        assert "<b>" not in page.text
    assert 404 == httpx2.get(f"{console.url}/dashboards/..%2f..%2fetc").status_code
    there = httpx2.get(f"{console.url}/d/{UID}/small?from=now-1h&var-env=local")
    assert f"/dashboards/{UID}?from=now-1h&var-env=local" == there.headers["location"]
