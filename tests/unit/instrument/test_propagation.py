import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from abops_instrument.propagation import (
    RemoteSpan,
    current_traceparent,
    format_traceparent,
    outgoing_headers,
    parse_traceparent,
)
from abops_instrument.tracing import Tracing
from abops_instrument.work import Work

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_header_names_the_callers_span() -> None:
    assert RemoteSpan(int(TRACE, 16), int(SPAN, 16), is_sampled=True) == parse_traceparent(
        f"00-{TRACE}-{SPAN}-01"
    )


def test_a_later_version_may_say_more() -> None:
    assert parse_traceparent(f"01-{TRACE}-{SPAN}-00-more") is not None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_anything_else_begins_a_new_trace(header: str) -> None:
    assert parse_traceparent(header) is None


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read_again(trace_id: int, span_id: int, is_sampled: bool) -> None:  # noqa: FBT001 - drawn
    span = RemoteSpan(trace_id, span_id, is_sampled)
    assert span == parse_traceparent(format_traceparent(span.context()))


@given(st.text())
def test_a_stranger_cannot_break_the_parser(header: str) -> None:
    parse_traceparent(header)


def test_calls_from_within_a_piece_of_work_carry_its_ids() -> None:
    assert {} == outgoing_headers()
    work = Work("tick", SpanKind.INTERNAL, None, Tracing(sample_ratio=0.0))
    header = f"00-{work.trace_id:032x}-{work.span_id:016x}-00"
    assert {"traceparent": header} == outgoing_headers()
    work.leave()
    assert current_traceparent() is None
