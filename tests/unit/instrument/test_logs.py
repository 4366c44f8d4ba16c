import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from abops_instrument.logs import configure_logs
from abops_instrument.tracing import Tracing
from abops_instrument.work import Work

TOKEN = "123456789:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("analyticbot-api", version="4.6.0", environment="test", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_names_its_service_and_dataset(stream: io.StringIO) -> None:
    logging.getLogger("shop").info("sold %d", 3)
    (line,) = lines(stream)
    assert line.pop("@timestamp").endswith("Z")
    assert {
        "log.level": "info",
        "message": "sold 3",
        "service.name": "analyticbot-api",
        "service.version": "4.6.0",
        "service.environment": "test",
        "event.dataset": "api.app",
        "log.logger": "shop",
    } == line


def test_a_line_carries_the_ids_of_its_work_sampled_or_not(stream: io.StringIO) -> None:
    work = Work("tick", SpanKind.INTERNAL, None, Tracing(sample_ratio=0.0))
    logging.getLogger().info("inside")
    work.leave()
    logging.getLogger().info("outside")
    inside, outside = lines(stream)
    assert (f"{work.trace_id:032x}", f"{work.span_id:016x}") == (
        inside["trace.id"],
        inside["span.id"],
    )
    assert "trace.id" not in outside


def test_extra_fields_keep_their_names_and_are_redacted_however_deep(stream: io.StringIO) -> None:
    logging.getLogger().info(
        "x",
        extra={"event.duration": 5, "dataset": "audit", "url": [{"u": f"/bot{TOKEN}/x"}]},
    )
    (line,) = lines(stream)
    assert (5, "audit", [{"u": "/bot***/x"}]) == (
        line["event.duration"],
        line["event.dataset"],
        line["url"],
    )


def test_an_exception_is_told_with_its_type_and_without_its_secret(stream: io.StringIO) -> None:
    error = ConnectionError(f"no answer from /bot{TOKEN}/getMe")
    logging.getLogger().error("call failed", exc_info=error)
    (line,) = lines(stream)
    assert "ConnectionError" == line["error.type"]
    assert "no answer from /bot***/getMe" == line["error.message"]
    assert "ConnectionError" in line["error.stack_trace"]
    assert TOKEN not in stream.getvalue()


def test_an_event_with_line_breaks_stays_one_line(stream: io.StringIO) -> None:
    logging.getLogger().warning("one\ntwo\u2028three")
    assert 1 == len(stream.getvalue().split("\n")) - 1


def test_a_value_that_json_does_not_know_is_written_as_text(stream: io.StringIO) -> None:
    logging.getLogger().info("x", extra={"what": ValueError(f"/bot{TOKEN}/")})
    assert "/bot***/" == lines(stream)[0]["what"]
