"""The page of the logs, with a store that answers as told."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from abops.entry.web.app import create_app
from abops.entry.web.observe import Sources
from abops.entry.web.observe.log_page import Address, read_address
from support.console import NOON, FixedClock, MemoryService
from support.log_answers import TRACE, a_hit, a_store, an_answer

INVENTORY = Path(__file__).parents[3] / "platform.yaml"
Console = Callable[..., TestClient]


@pytest.fixture
def console(service: MemoryService, clock: FixedClock, runbooks: Path) -> Console:
    def made(logs: str | None) -> TestClient:
        sources = Sources(inventory=INVENTORY, logs=logs)
        app = create_app(service, clock=clock, runbooks=runbooks, sources=sources)
        return TestClient(app, base_url="http://127.0.0.1:9600", follow_redirects=False)

    return made


def test_lines_are_shown_with_their_fields_and_a_way_to_their_trace(console: Console) -> None:
    hit = a_hit(1, **{"log.level": "ERROR", "trace.id": TRACE, "message": "<b>failed</b>"})
    with a_store(an_answer(hit, a_hit(2))) as (url, _), console(url) as client:
        page = client.get("/logs").text
    assert "&lt;b&gt;failed&lt;/b&gt;" in page
    assert "<b>failed" not in page
    assert 'class="log-line is-critical"' in page
    assert f'href="/logs?trace={TRACE}"' in page  # no place for traces in this console
    assert 2 == page.count('<details class="log-line')
    assert "3 lines, 1 of them errors" in page


def test_the_address_becomes_the_search(console: Console) -> None:
    address = f"/logs?q=pool&service=worker&level=error&trace={TRACE}&since=6h&env=all"
    with a_store(an_answer()) as (url, asked), console(url) as client:
        assert 200 == client.get(address).status_code
        client.get("/logs?since=6h")
    streams = "logs-analyticbot.worker-{}"
    wanted = ",".join(streams.format(env) for env in ("local", "staging", "production"))
    assert asked[0]["path"].startswith(f"/{wanted}/_search")
    filters = asked[0]["query"]["bool"]["filter"]
    assert [{"term": {"trace.id": TRACE}}] == filters[:1]
    assert ["error", "critical"] == filters[1]["terms"]["log.level"][:2]
    assert 2 == len(filters)  # a trace is looked for in all of time
    assert "pool" == asked[0]["query"]["bool"]["must"][0]["simple_query_string"]["query"]
    since = (NOON - timedelta(hours=6)).isoformat()
    assert [{"range": {"@timestamp": {"gte": since}}}] == asked[1]["query"]["bool"]["filter"]
    assert asked[1]["path"].startswith("/logs-analyticbot.*-")


def test_older_lines_are_a_link_away(console: Console) -> None:
    with a_store(an_answer(a_hit(1), a_hit(2), total=900)) as (url, asked), console(url) as client:
        page = client.get("/logs?q=x").text
        assert 'href="/logs?q=x&amp;until=2026-11-24T11%3A58%3A00Z' in page.replace(
            "&env=", "&env="
        )
        client.get("/logs?until=2026-11-24T11:58:00Z")
    window = asked[1]["query"]["bool"]["filter"][0]["range"]["@timestamp"]
    assert "2026-11-24T11:58:00+00:00" == window["lt"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/logs", "No line in the last 1h"),
        ("/logs?q=nothing", "No line matches"),
        ("/logs?trace=abc", "No line carries this trace"),
    ],
)
def test_a_page_without_lines_says_what_would_fill_it(
    console: Console, address: str, words: str
) -> None:
    with a_store(an_answer()) as (url, _), console(url) as client:
        assert words in client.get(address).text


def test_a_store_that_is_away_is_said_with_the_way_to_the_files(console: Console) -> None:
    with a_store(an_answer()) as (url, _):
        pass
    with console(url) as client:
        answer = client.get("/logs?service=bot")
        assert 200 == client.get("/incidents").status_code
    assert 503 == answer.status_code
    assert "The log store does not answer" in answer.text
    assert "abops stack logs bot -n 200" in answer.text


@pytest.mark.parametrize("address", ["/logs?level=loud", "/logs?since=x", "/logs?until=soon",
                                     "/logs?service=nobody"])  # fmt: skip
def test_what_cannot_be_searched_for_is_said(console: Console, address: str) -> None:
    with a_store(an_answer()) as (url, _), console(url) as client:
        answer = client.get(address)
    assert (400, True) == (answer.status_code, "This cannot be searched for" in answer.text)


def test_a_trace_typed_into_the_search_leads_to_its_lines(console: Console) -> None:
    with a_store(an_answer()) as (url, _), console(url) as client:
        answer = client.get(f"/search?q=+{TRACE.upper()}")
    assert (303, f"/logs?trace={TRACE}") == (answer.status_code, answer.headers["location"])


def test_without_a_log_store_there_is_no_such_place(console: Console) -> None:
    with console(None) as client:
        assert 404 == client.get("/logs").status_code
        assert 'href="/logs"' not in client.get("/incidents").text
        assert 200 == client.get(f"/search?q={TRACE}").status_code


def test_a_trace_pasted_among_the_words_is_taken_for_one() -> None:
    assert Address(trace=TRACE, env="local") == read_address({"q": TRACE}, "local")
    assert Address(q="ab12", env="local") == read_address({"q": "ab12"}, "local")
