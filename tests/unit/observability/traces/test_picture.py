"""From spans to the picture: the tree, one clock, the critical path, rows."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.observability.traces import layout
from abops.observability.traces.critical import critical_path
from abops.observability.traces.layout import brief, draw, reach
from abops.observability.traces.spans import Span, by_trace, read_spans
from abops.observability.traces.tree import grow
from support.traces import CLIENT, CONSUMER, MS, PRODUCER, SERVER, a_span, new_trace

START = 1_795_000_000 * 1_000_000_000


class Story:
    """Spans of one trace, told in milliseconds since its start."""

    def __init__(self) -> None:
        self.trace = new_trace()
        self.entries: list[dict[str, Any]] = []

    def add(
        self,
        name: str,
        begin: float,
        end: float,
        parent: str = "",
        **more: Any,  # noqa: ANN401 - attributes
    ) -> "Story":
        service = more.pop("service", "api")
        self.entries.append(
            a_span(
                service,
                name,
                trace=self.trace,
                span=identity(name),
                parent=identity(parent) if parent else "",
                start_ns=START + round(begin * MS),
                ms=end - begin,
                **more,
            )
        )
        return self

    @property
    def spans(self) -> tuple[Span, ...]:
        return read_spans({"result": {"resourceSpans": self.entries}})


def identity(name: str) -> str:
    """Return the id of the span of this name."""
    return name.encode().hex()[:16].ljust(16, "0")


def a_post() -> Story:
    """A request that sends a task, and the task that sends a message."""
    return (
        Story()
        .add("POST", 0, 20, kind=SERVER)
        .add("INSERT", 2, 8, "POST", kind=CLIENT, db__system__name="postgresql")
        .add("publish", 10, 14, "POST", kind=PRODUCER)
        .add("process", 44, 100, "publish", kind=CONSUMER, service="worker")
        .add("send", 50, 90, "process", kind=CLIENT, service="worker", peer__service="telegram")
    )


def rows(story: Story) -> list[tuple[int, str]]:
    return [(row.depth, row.span.name if row.span else "?") for row in draw(story.spans).rows]


def path(story: Story) -> dict[str, list[tuple[float, float]]]:
    tree = grow(story.spans)
    found = critical_path(tree)
    named = {
        (tree.nodes[index].span or tree.first).name: [
            ((begin - START) / MS, (end - START) / MS) for begin, end in stretches
        ]
        for index, stretches in found.stretches.items()
    }
    waits = [((begin - START) / MS, (end - START) / MS) for begin, end in found.waits]
    return named | ({"waiting": waits} if waits else {})


def test_children_stand_below_their_parent_by_their_start() -> None:
    story = Story().add("late", 5, 6, "root").add("root", 0, 10).add("soon", 1, 2, "root")
    assert [(0, "root"), (1, "soon"), (1, "late")] == rows(story)


def test_bars_are_thousandths_of_the_whole_time() -> None:
    picture = draw(a_post().spans)
    bars = {row.span.name: (row.bar.x, row.bar.width) for row in picture.rows if row.span}
    assert (0, 200) == bars["POST"]
    assert (440, 560) == bars["process"]
    assert 100 * MS == picture.duration_ns


def test_a_message_that_waited_shows_for_how_long() -> None:
    waited = {row.span.name: row.wait_ns for row in draw(a_post().spans).rows if row.span}
    assert {"POST": 0, "INSERT": 0, "publish": 0, "process": 30 * MS, "send": 0} == waited


def test_the_critical_path_goes_through_the_queue() -> None:
    assert {
        "POST": [(0, 2), (8, 10)],
        "INSERT": [(2, 8)],
        "publish": [(10, 14)],
        "waiting": [(14, 44)],
        "process": [(44, 50), (90, 100)],
        "send": [(50, 90)],
    } == path(a_post())


def test_the_path_takes_the_child_that_ended_last_and_what_ended_before_it_began() -> None:
    story = (
        Story()
        .add("root", 0, 10)
        .add("first", 1, 3, "root")
        .add("beside", 1, 6, "root")
        .add("second", 4, 9, "root")
    )
    assert {
        "root": [(0, 1), (3, 4), (9, 10)],
        "first": [(1, 3)],
        "second": [(4, 9)],
    } == path(story)


def test_shares_say_who_took_the_time() -> None:
    shares = {share.name: share.percent for share in draw(a_post().spans).shares}
    assert {"telegram": 40, "waiting": 30, "worker": 16, "api": 8, "postgresql": 6} == shares


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(-1, 30)), max_size=30)
)
def test_the_path_and_the_waiting_fill_the_whole_time(given: list[tuple[int, int, int]]) -> None:
    story = Story().add("s0", 0, 40)
    for number, (begin, length, parent) in enumerate(given, 1):
        story.add(f"s{number}", begin, begin + length, f"s{parent}" if parent >= 0 else "")
    tree = grow(story.spans)
    found = critical_path(tree)
    stretches = sorted([*itertools.chain(*found.stretches.values()), *found.waits])
    assert tree.duration_ns == sum(end - begin for begin, end in stretches)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(stretches))


@given(st.lists(st.integers(0, 12), min_size=1, max_size=12))
def test_every_span_has_one_row_whatever_its_parent(parents: list[int]) -> None:
    story = Story()
    for number, parent in enumerate(parents):
        story.add(f"s{number}", number, number + 1, f"s{parent}")
    shown = [row.span.id for row in draw(story.spans, whole=True).rows if row.span]
    assert sorted(span.id for span in story.spans) == sorted(shown)


def test_a_span_without_its_parent_stands_below_a_place_for_it() -> None:
    story = Story().add("one", 3, 5, "gone").add("two", 6, 9, "gone")
    picture = draw(story.spans)
    assert [(0, "?"), (1, "one"), (1, "two")] == rows(story)
    assert 1 == picture.missing
    assert not picture.has_root
    assert (0, 6 * MS) == (picture.rows[0].start_ns, picture.rows[0].duration_ns)


def test_an_answer_that_comes_before_its_question_is_moved_with_all_below_it() -> None:
    story = (
        Story()
        .add("call", 10, 20, kind=CLIENT)
        .add("serve", -500, -494, "call", kind=SERVER, service="other")
        .add("inner", -499, -498, "serve", service="other")
    )
    picture = draw(story.spans)
    moved = {row.span.name: row.moved_ns / MS for row in picture.rows if row.span}
    assert {"call": 0, "serve": 512, "inner": 512} == moved
    assert 2 == picture.moved
    assert 10 * MS == picture.duration_ns


def test_a_message_received_before_it_was_sent_is_moved_to_its_sending() -> None:
    story = (
        Story()
        .add("publish", 0, 4, kind=PRODUCER)
        .add("process", -30, -20, "publish", kind=CONSUMER, service="worker")
    )
    assert 4 * MS == draw(story.spans).rows[1].start_ns


def test_a_callee_that_goes_on_after_its_caller_gave_up_is_left_where_it_is() -> None:
    story = (
        Story()
        .add("call", 0, 10, kind=CLIENT)
        .add("serve", 1, 60, "call", kind=SERVER, service="other")
    )
    assert 0 == draw(story.spans).moved


def test_many_alike_become_one_row_that_says_how_many() -> None:
    story = Story().add("root", 0, 1000)
    for number in range(40):
        story.add(f"S{number}", number, number + 0.5, "root")
    for entry in story.entries[1:]:
        entry["scopeSpans"][0]["spans"][0]["name"] = "SELECT"
    picture = draw(story.spans)
    (folded,) = [row for row in picture.rows if row.fold]
    assert folded.fold is not None
    assert layout.ALIKE_SHOWN + 2 == len(picture.rows)
    assert 36 == folded.fold.count == picture.folded
    assert 18 * MS == folded.fold.total_ns
    assert 41 == len(draw(story.spans, whole=True).rows)


def test_what_failed_is_never_folded_away() -> None:
    story = Story().add("root", 0, 1000)
    for number in range(40):
        story.add(f"S{number}", number, number + 0.5, "root", failed=number == 33)
    for entry in story.entries[1:]:
        entry["scopeSpans"][0]["spans"][0]["name"] = "SELECT"
    shown = [row.span for row in draw(story.spans).rows if row.span and not row.fold]
    assert [True] == [span.failed for span in shown if span.failed]


def test_a_trace_too_long_for_a_page_says_what_is_left_out() -> None:
    story = Story().add("root", 0, 2000)
    for number in range(2_000):
        story.add(f"n{number}", number, number + 1, "root", failed=number == 1_999)
    picture = draw(story.spans)
    assert layout.ROWS_AT_MOST == len(picture.rows)
    assert (2_001 - layout.ROWS_AT_MOST, 1) == (picture.rows_left_out, picture.failed_left_out)
    assert 2_001 == picture.spans


def test_a_trace_deeper_than_the_stack_is_drawn() -> None:
    story = Story().add("d0", 0, 5_000)
    for number in range(1, 3_000):
        story.add(f"d{number}", number, 5_000, f"d{number - 1}")
    picture = draw(story.spans, whole=True)
    assert 2_999 == picture.rows[-1].depth
    assert layout.DEEPEST == picture.rows[-1].level


def test_reach_names_services_and_the_systems_they_call() -> None:
    assert ("api", "postgresql", "worker", "telegram") == reach(grow(a_post().spans))


def test_spans_are_read_whatever_their_form() -> None:
    entry = a_span("api", "x", trace="A" * 32, span="B" * 16, start_ns=5, ms=0, abops__late=True)
    raw = entry["scopeSpans"][0]["spans"][0]
    raw |= {
        "kind": "SPAN_KIND_CLIENT",
        "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
        "endTimeUnixNano": "1",
        "parentSpanId": "0" * 16,
        "events": [{"timeUnixNano": "7", "attributes": [{"key": "k"}]}],
    }
    raw["attributes"].append(
        {
            "key": "list",
            "value": {"arrayValue": {"values": [{"intValue": 1}, {"boolValue": False}]}},
        }
    )
    (span,) = read_spans({"resourceSpans": [entry, entry, {}, {"scopeSpans": [{"spans": [{}]}]}]})
    assert ("a" * 32, "b" * 16, "") == (span.trace_id, span.id, span.parent_id)
    assert ("client", True, "no", True) == (span.kind, span.failed, span.message, span.is_late)
    assert 0 == span.duration_ns
    assert (("list", "1, false"),) == span.attributes
    assert ("(no name)", (("k", ""),)) == (span.events[0].name, span.events[0].attributes)


def test_nothing_in_an_answer_is_no_span() -> None:
    assert () == read_spans({})
    assert () == read_spans({"result": {"resourceSpans": "?"}})


def test_spans_of_several_traces_are_told_apart() -> None:
    one, two = a_post(), a_post()
    spans = one.spans + two.spans
    assert {one.trace: one.spans, two.trace: two.spans} == by_trace(spans)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 µs"),
        (412_000, "412 µs"),
        (999_700, "1.00 ms"),
        (3_210_000, "3.21 ms"),
        (41_000_000, "41.0 ms"),
        (999_800_000, "1.00 s"),
        (1_240_000_000, "1.24 s"),
        (64_000_000_000, "1m 04s"),
        (3_840_000_000_000, "1h 04m"),
    ],
)
def test_durations_have_three_figures(nanoseconds: int, text: str) -> None:
    assert text == brief(nanoseconds)
