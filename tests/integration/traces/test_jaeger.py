"""A real Jaeger with the rendered configuration: what it keeps, drops, and answers."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from abops.clients.jaeger import Jaeger, TraceStoreError
from abops.clients.promtool import Judge, VerdictError
from abops.entry.cli.observability import check
from abops.inventory.load import load_inventory
from abops.kernel.clock import SystemClock
from abops.observability import jaeger as config
from abops.observability.traces.search import FoundTraces, TraceQuery
from abops.observability.traces.spans import read_spans
from abops.stack.tools import find_tool
from abops.workflows.render import render
from abops.workflows.traces import find_traces, picture_of
from support import traces
from support.servers import answers, free_port, wait_until
from support.traces import CLIENT, SERVER, a_span, new_trace, start_jaeger, trace_of

ROOT = Path(__file__).parents[3]
MINUTE_NS = 60 * 1_000_000_000
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[traces.Jaeger]:
    with start_jaeger(tmp_path_factory.mktemp("jaeger")) as server:
        yield server


@pytest.fixture
def jaeger(server: traces.Jaeger) -> Iterator[Jaeger]:
    client = Jaeger(server.url)
    yield client
    client.close()


def sent(server: traces.Jaeger, spans: list[dict[str, object]]) -> str:
    """Send a trace and return its id when it can be asked for."""
    server.take(*spans)
    trace = trace_of(spans)
    wait_until(lambda: answers(f"{server.url}/api/v3/traces/{trace}"), what=f"trace {trace}")
    return trace


def search(jaeger: Jaeger, **asked: object) -> FoundTraces:
    now = CLOCK.now()
    query = TraceQuery(since=now - timedelta(hours=1), until=now, **asked)  # type: ignore[arg-type]
    return find_traces(jaeger, query, CLOCK)


def one(service: str, **more: object) -> list[dict[str, object]]:
    now = time.time_ns() - MINUTE_NS
    return [a_span(service, "GET /", trace=new_trace(), kind=SERVER, start_ns=now, ms=3, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize("keep_percent", [None, 10])
@pytest.mark.parametrize(
    "store", [config.badger("data"), config.memory(), config.opensearch()], ids=["b", "m", "o"]
)
def test_every_form_of_the_configuration_is_accepted(
    store: config.Document, keep_percent: int | None, tmp_path: Path
) -> None:
    file = tmp_path / "jaeger.yml"
    place = config.TracePlace(store, query=1, metrics=2, keep_percent=keep_percent)
    file.write_text(config.jaeger_config(place))
    Judge(find_tool("jaeger")).check("validate", "--config", str(file))


def test_a_word_that_jaeger_does_not_know_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "jaeger.yml"
    text = config.jaeger_config(config.production(load_inventory(ROOT / "platform.yaml")))
    file.write_text(text.replace("enable_tracing", "enable_traces"))
    with pytest.raises(VerdictError, match="enable_traces"):
        Judge(find_tool("jaeger")).check("validate", "--config", str(file))


def test_the_check_has_jaeger_judge_the_committed_file(tmp_path: Path) -> None:
    inventory = tmp_path / "platform.yaml"
    inventory.write_text((ROOT / "platform.yaml").read_text())
    render(load_inventory(inventory), tmp_path, write=True)
    file = tmp_path / "infrastructure/monitoring/jaeger/jaeger-config.yml"
    file.write_text(file.read_text().replace("enable_tracing", "enable_traces"))

    done = CliRunner().invoke(check.command, ["--inventory", str(inventory)])

    assert isinstance(done.exception, VerdictError)
    assert "enable_traces" in str(done.exception)


def test_a_trace_comes_back_as_it_was_sent(server: traces.Jaeger, jaeger: Jaeger) -> None:
    spans = traces.a_post(time.time_ns() - MINUTE_NS)
    picture = picture_of(jaeger, sent(server, spans))
    assert picture is not None
    rows = [(row.depth, row.span.name) for row in picture.rows if row.span]
    assert (0, "POST /api/v1/posts") == rows[0]
    assert (2, "process bot.tasks.send_message_task") in rows
    assert 320_000_000 == max(row.wait_ns for row in picture.rows)
    assert 0 == picture.moved


def test_a_clock_that_is_behind_is_left_to_us(server: traces.Jaeger, jaeger: Jaeger) -> None:
    picture = picture_of(jaeger, sent(server, traces.a_skewed_call(time.time_ns() - MINUTE_NS)))
    assert picture is not None
    assert (2, 90_000_000) == (picture.moved, picture.duration_ns)


def test_what_nobody_must_see_is_not_kept(server: traces.Jaeger, jaeger: Jaeger) -> None:
    hidden = {name.replace(".", "__"): "token-1234" for name in config.SECRET_ATTRIBUTES}
    trace = sent(server, one("masked", **hidden, http__route="/x"))
    assert "token-1234" not in str(jaeger.trace(trace))
    (span,) = read_spans(jaeger.trace(trace) or {})
    assert (("http.route", "/x"),) == span.attributes


def test_checks_of_health_are_not_kept(server: traces.Jaeger, jaeger: Jaeger) -> None:
    dropped = one("healthy", http__route="/health")
    server.take(*dropped)
    sent(server, one("healthy"))
    assert jaeger.trace(trace_of(dropped)) is None


def test_a_trace_that_is_not_there_is_none(jaeger: Jaeger) -> None:
    assert jaeger.trace(new_trace()) is None
    assert picture_of(jaeger, new_trace()) is None


def test_the_search_filters_sorts_and_counts(server: traces.Jaeger, jaeger: Jaeger) -> None:
    now = time.time_ns()
    quick = sent(server, traces.a_post(now - 2 * MINUTE_NS))
    waited = sent(server, traces.a_post(now - 3 * MINUTE_NS, wait_ms=9_000))
    failed = sent(server, traces.a_post(now - 4 * MINUTE_NS, failed=True))
    old = sent(server, traces.a_post(now - 90 * MINUTE_NS))

    def ids(**asked: object) -> list[str]:
        found = search(jaeger, **asked)
        return [t.id for t in found.traces if t.id in {quick, waited, failed, old}]

    assert [quick, waited, failed] == ids()
    assert [failed] == ids(failed_only=True)
    assert [waited] == ids(minimum=timedelta(seconds=5))
    assert [quick, waited, failed] == ids(service="analyticbot-worker", operation="sendMessage")
    assert [] == ids(service="analyticbot-worker", operation="POST /api/v1/posts")
    assert [] == ids(service="nobody")
    assert 1 == len(search(jaeger, limit=1).traces)
    assert "sendMessage" in search(jaeger, service="analyticbot-worker").operations


def test_traces_in_files_are_found_and_outlive_the_process(tmp_path: Path) -> None:
    with start_jaeger(tmp_path, on_disk=True) as server:
        trace = sent(server, traces.a_post(time.time_ns() - MINUTE_NS))
    with start_jaeger(tmp_path, on_disk=True) as server:
        client = Jaeger(server.url)
        found = search(client, minimum=timedelta(milliseconds=100))
        assert [trace] == [t.id for t in found.traces]
        assert [trace] == [t.id for t in search(client, operation="INSERT").traces]
        picture = picture_of(client, trace)
        assert picture is not None
        assert (9, 2) == (picture.spans, len(picture.services))
        client.close()


def test_whether_a_service_was_there_lately(server: traces.Jaeger, jaeger: Jaeger) -> None:
    sent(server, one("seen"))
    now = CLOCK.now()
    assert jaeger.has_spans("seen", now - timedelta(minutes=5), now)
    assert not jaeger.has_spans("seen", now - timedelta(hours=2), now - timedelta(hours=1))
    assert not jaeger.has_spans("unseen", now - timedelta(minutes=5), now)
    assert {"seen"} <= set(jaeger.services())


def test_a_jaeger_that_is_away_is_an_error_with_a_hint() -> None:
    with pytest.raises(TraceStoreError) as caught:
        Jaeger(f"http://127.0.0.1:{free_port()}").services()
    assert "abops stack status jaeger" in caught.value.hint


def test_services_that_ask_are_told_the_ratio(server: traces.Jaeger) -> None:
    url = f"http://127.0.0.1:{server.place.sampling_http}/api/sampling?service=any"
    with urlopen(url, timeout=5) as response:
        assert b'"samplingRate":0.1' in response.read()


def test_jaeger_sends_no_spans_of_its_own(server: traces.Jaeger, jaeger: Jaeger) -> None:
    sent(server, one("counted"))
    for _ in range(3):
        jaeger.services()
    assert [] == [name for name in jaeger.services() if "jaeger" in name]


def test_with_sampling_by_outcome_failures_and_slow_traces_are_kept_and_metrics_count_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "WAIT_S", 1)
    monkeypatch.setattr(config, "FLUSH_S", 1)
    with start_jaeger(tmp_path, keep_percent=0) as server:
        client = Jaeger(server.url)
        now = time.time_ns() - MINUTE_NS
        dull = one("tail")
        bad = one("tail", failed=True)
        slow = [a_span("tail", "GET /", trace=new_trace(), kind=CLIENT, start_ns=now, ms=1_500)]
        for spans in (dull, bad, slow):
            server.take(*spans)
        for spans in (bad, slow):
            url = f"{server.url}/api/v3/traces/{trace_of(spans)}"
            wait_until(lambda url=url: answers(url), what="a kept trace")  # type: ignore[misc]
        assert client.trace(trace_of(dull)) is None
        client.close()

        def counted() -> float:
            url = f"http://127.0.0.1:{server.place.span_metrics}/metrics"
            with urlopen(url, timeout=5) as response:
                page = response.read().decode()
            lines = [ln for ln in page.splitlines() if ln.startswith("traces_span_metrics_calls_")]
            return sum(float(line.rpartition(" ")[2]) for line in lines)

        wait_until(lambda: counted() == 3, timeout_s=30, what="three counted spans")
