"""One request seen through every process it touches, and found from a point on a chart.

The smallest real set: AnalyticBot's processes on their stores, a Jaeger with the rendered
configuration, a Prometheus with the committed one.
"""

import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from abops.clients.jaeger import Jaeger
from abops.kernel.clock import SystemClock
from abops.observability.traces.spans import Span, by_trace, read_spans
from abops.stack.tools import find_tool
from support.servers import Server, answers, free_port, running, wait_until
from support.traces import start_jaeger
from support.workload import FIRST_CHANNEL, PROGRAMS, Workload, start_workload

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "infrastructure/monitoring/prometheus/prometheus.yml"
API, BOT, WORKER, BEAT = (f"analyticbot-{name}" for name in ("api", "bot", "worker", "beat"))
PATIENCE_S = 30

Edge = tuple[str, str, str, str]
"""Service, name and kind of a span, and the system that it calls."""


class Platform:
    """The running parts, and traces as Jaeger answers for them."""

    def __init__(self, workload: Workload, jaeger: Jaeger, prometheus: Server) -> None:
        self.workload = workload
        self.jaeger = jaeger
        self.prometheus = prometheus

    def request(self, method: str, path: str, body: object = None, *, sampled: bool = True) -> str:
        """Make a request whose trace the caller began; return the trace."""
        trace = secrets.token_hex(16)
        parent = f"00-{trace}-{secrets.token_hex(8)}-{'01' if sampled else '00'}"
        self.workload.request(method, "api", path, body, traceparent=parent)
        return trace

    def spans(self, trace: str) -> tuple[Span, ...]:
        return read_spans(self.jaeger.trace(trace) or {})

    def await_trace(self, trace: str, *names: str) -> tuple[Span, ...]:
        """Wait until a trace has spans of all these names."""
        found: tuple[Span, ...] = ()

        def is_whole() -> bool:
            nonlocal found
            found = self.spans(trace)
            return {*names} <= {span.name for span in found}

        wait_until(is_whole, timeout_s=PATIENCE_S, what=f"spans {names} in {trace}")
        return found

    def await_one(
        self, service: str, operation: str, is_wanted: Callable[[tuple[Span, ...]], bool]
    ) -> tuple[Span, ...]:
        """Wait until the search finds a trace that is wanted."""
        wanted: list[tuple[Span, ...]] = []

        def is_there() -> bool:
            now = SystemClock().now()
            answer = self.jaeger.search(
                service, now - timedelta(minutes=10), now, limit=50, operation=operation
            )
            wanted.extend(filter(is_wanted, by_trace(read_spans(answer)).values()))
            return bool(wanted)

        wait_until(is_there, timeout_s=PATIENCE_S, what=f"a trace of {operation}")
        return wanted[0]

    def write_to_the_bot(self, text: str, user: int) -> None:
        message = {
            "message_id": 1,
            "date": int(SystemClock().now().timestamp()),
            "chat": {"id": user, "type": "private", "first_name": "Ada"},
            "from": {"id": user, "is_bot": False, "first_name": "Ada"},
            "text": text,
            "entities": [{"type": "bot_command", "offset": 0, "length": len(text)}],
        }
        self.workload.request("POST", "stub", "/_updates", {"message": message})


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    if not PROGRAMS.is_dir():
        pytest.fail("workload/.venv is missing: run `make env`")
    # Not pytest's folder: the next pytest that starts closes that one to PostgreSQL's user.
    with (
        TemporaryDirectory(prefix="abops-signals-", ignore_cleanup_errors=True) as folder,
        start_jaeger(Path(folder) / "jaeger") as jaeger,
        start_workload(Path(folder), otlp=jaeger.otlp) as workload,
        _prometheus(Path(folder) / "prometheus", workload.urls["api"]) as prometheus,
    ):
        client = Jaeger(jaeger.url)
        yield Platform(workload, client, prometheus)
        client.close()


def _prometheus(folder: Path, api: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a context
    """Return a Prometheus with the committed configuration and the stack's flags."""
    (folder / "targets").mkdir(parents=True)
    (folder / "prometheus.yml").write_text(CONFIG.read_text())
    target = [{"targets": [api.removeprefix("http://")], "labels": {"service": "api"}}]
    (folder / "targets" / f"{API}.yml").write_text(json.dumps(target))
    port = free_port()
    argv = [
        find_tool("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
    ]
    ready = f"http://127.0.0.1:{port}/-/ready"
    return running(argv, port=port, log=folder / "log", ready=lambda: answers(ready))


def edges(spans: tuple[Span, ...]) -> dict[Edge, set[Edge]]:
    """Return what each kind of span has begun."""
    by_id = {span.id: span for span in spans}
    found: dict[Edge, set[Edge]] = {}
    for span in spans:
        if span.parent_id in by_id:
            found.setdefault(edge(by_id[span.parent_id]), set()).add(edge(span))
    return found


def edge(span: Span) -> Edge:
    return (span.service, span.name, span.kind, span.peer)


def test_a_read_goes_to_the_database(platform: Platform) -> None:
    name = "GET /api/v1/channels/{channel_id}"
    trace = platform.request("GET", f"/api/v1/channels/{FIRST_CHANNEL}")

    found = edges(platform.await_trace(trace, name, "SELECT"))

    assert (API, "SELECT", "client", "postgresql") in found[API, name, "server", ""]


def test_a_post_goes_through_the_queue_to_telegram(platform: Platform) -> None:
    task = "process infra.celery.tasks.send_message_task"
    chain: list[Edge] = [
        (API, "POST /api/v1/posts", "server", ""),
        (API, "publish messages", "producer", ""),
        (WORKER, task, "consumer", ""),
        (WORKER, "sendMessage", "client", "telegram"),
    ]
    body = {"channel_id": FIRST_CHANNEL + 7, "text": "a post that is traced"}
    trace = platform.request("POST", "/api/v1/posts", body)

    found = edges(platform.await_trace(trace, *(name for _, name, _, _ in chain)))

    for cause, effect in itertools.pairwise(chain):
        assert effect in found[cause]
    assert (API, "INSERT", "client", "postgresql") in found[chain[0]]


def test_an_update_goes_to_database_redis_and_telegram(platform: Platform) -> None:
    wanted = {"postgresql", "redis", "telegram"}
    for number in range(100):  # one in ten is kept
        platform.write_to_the_bot("/stats", 20_000 + number)

    spans = platform.await_one(
        BOT, "update stats", lambda spans: wanted <= {span.peer for span in spans}
    )

    (update,) = [span for span in spans if span.name == "update stats"]
    begun = edges(spans)[BOT, "update stats", "consumer", ""]
    assert not update.parent_id
    assert wanted <= {peer for _, _, _, peer in begun}
    assert (BOT, "sendMessage", "client", "telegram") in begun


def test_a_tick_leads_to_its_task(platform: Platform) -> None:
    def is_whole(spans: tuple[Span, ...]) -> bool:
        return {BEAT, WORKER} <= {span.service for span in spans}

    # One tick in ten is kept, and several schedules tick every second or two.
    now = SystemClock().now()
    operations: list[str] = []

    def tick() -> bool:
        operations[:] = [o for o in platform.jaeger.operations(BEAT) if o.startswith("tick ")]
        return bool(operations)

    wait_until(tick, timeout_s=PATIENCE_S, what=f"a tick since {now}")
    spans = platform.await_one(BEAT, "", is_whole)

    begun = edges(spans)
    (root,) = [span for span in spans if not span.parent_id]
    (publish,) = begun[edge(root)]
    assert root.name.startswith("tick ")
    assert "producer" == publish[2]
    assert {(WORKER, "consumer")} == {(e[0], e[2]) for e in begun[publish]}


def test_no_statement_and_no_token_is_in_a_span(platform: Platform) -> None:
    body = {"channel_id": FIRST_CHANNEL + 8, "text": "a secret of the channel"}
    trace = platform.request("POST", "/api/v1/posts", body)
    platform.await_trace(trace, "POST /api/v1/posts", "sendMessage")

    text = json.dumps(platform.jaeger.trace(trace)).casefold()

    token = platform.workload.env["BOT_TOKEN"].casefold()
    words = (token, "a secret of the channel", "insert into", " from channels")
    assert [] == [word for word in words if word in text]


def test_what_was_slow_is_kept_though_it_was_not_sampled(platform: Platform) -> None:
    name = "GET /api/v1/channels/{channel_id}"
    with platform.workload.fault("db_slow", delay_s=1.2):
        trace = platform.request("GET", f"/api/v1/channels/{FIRST_CHANNEL}", sampled=False)
        (span,) = platform.await_trace(trace, name)

    assert (True, "server") == (span.is_late, span.kind)
    assert span.parent_id
    assert span.duration_ns > 1e9


def test_a_point_of_the_latency_leads_to_a_trace(platform: Platform) -> None:
    asked = {platform.request("GET", f"/api/v1/channels/{FIRST_CHANNEL + n}") for n in range(5)}

    def exemplars() -> set[str]:
        now = SystemClock().now().timestamp()
        query = {"query": "http_server_request_duration_seconds_bucket"}
        query |= {"start": f"{now - 600}", "end": f"{now + 1}"}
        url = f"{platform.prometheus.url}/api/v1/query_exemplars?{urlencode(query)}"
        with urlopen(url, timeout=5) as response:
            series = json.load(response)["data"]
        return {e["labels"]["trace_id"] for one in series for e in one["exemplars"]}

    wait_until(lambda: bool(asked & exemplars()), timeout_s=PATIENCE_S, what="an exemplar")
    # The scrape may be sooner than the spans, which are sent once a second.
    platform.await_trace(next(iter(asked & exemplars())), "GET /api/v1/channels/{channel_id}")
