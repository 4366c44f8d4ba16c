"""One trace leads from a request through the queue to Telegram."""

import itertools
import secrets
from typing import Any

from support.servers import wait_until
from support.telemetry import Collector
from support.workload import FIRST_CHANNEL, Workload

TASK = "bot.tasks.send_scheduled_message"
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


def _spans(workload: Workload, trace: str) -> dict[str, Any]:
    assert isinstance(workload.collector, Collector)
    return {span.name: span for span in workload.collector.spans if span.trace_id.hex() == trace}


def _sampled() -> tuple[str, dict[str, str]]:
    trace = secrets.token_hex(16)
    return trace, {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}


def test_a_post_is_one_trace_from_the_api_to_telegram(workload: Workload, unique: str) -> None:
    trace, headers = _sampled()
    body = {"channel_id": FIRST_CHANNEL + 4, "text": unique}
    task = "process infra.celery.tasks.send_message_task"
    edges = {
        "POST /api/v1/posts": SERVER,
        "publish messages": PRODUCER,
        task: CONSUMER,
        "sendMessage": CLIENT,
    }

    assert 202 == workload.request("POST", "api", "/api/v1/posts", body, **headers)[0]

    wait_until(
        lambda: edges.keys() <= _spans(workload, trace).keys(),
        what=f"spans, have {list(_spans(workload, trace))}",
        timeout_s=60,
    )
    spans = _spans(workload, trace)
    assert edges == {name: spans[name].kind for name in edges}
    chain = list(edges)
    for parent, child in itertools.pairwise(chain):
        assert spans[parent].span_id == spans[child].parent_span_id, child


def test_a_read_reaches_the_database(workload: Workload) -> None:
    trace, headers = _sampled()

    workload.request("GET", "api", f"/api/v1/channels/{FIRST_CHANNEL}", **headers)

    wanted = {"GET /api/v1/channels/{channel_id}", "SELECT"}
    wait_until(lambda: wanted <= _spans(workload, trace).keys(), what="spans", timeout_s=60)


def test_a_tick_leads_to_its_task(workload: Workload) -> None:
    assert isinstance(workload.collector, Collector)
    collector = workload.collector

    def is_whole() -> bool:
        ticks = {span.trace_id for span in collector.named("tick send_scheduled_message")}
        tasks = {span.trace_id for span in collector.named(f"process {TASK}")}
        return bool(ticks & tasks)

    # One tick in ten is sampled, and there is one a second.
    wait_until(is_whole, what="a sampled tick with its task", timeout_s=90)
