"""The business figures: rows to samples, their age, and an exporter whose sources go away."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from abops.kernel.errors import OpsError
from abops.observability.business import (
    QUESTIONS,
    Question,
    Sample,
    is_current,
    samples_of,
    waiting_since,
)
from abops.observability.exporter import LENGTH, Exporter

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MRR = Question("analyticbot_mrr", "Revenue.", ("plan", "currency"), "SELECT 1")
OVERDUE = Question("analyticbot_overdue_posts", "Overdue.", (), "SELECT 1")


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class AwayError(OpsError):
    """The source of a test is away."""

    hint = "Wait."


class OneQueue:
    """A source with one queue, which can be away."""

    def __init__(self, name: str = "redis") -> None:
        self.name, self.length, self.is_away = name, 3.0, False

    def read(self, now: datetime) -> list[Sample]:
        if self.is_away:
            raise AwayError("away")
        return [Sample(LENGTH, (self.name,), self.length, now)]


class Watched:
    """An exporter of two queues, read through prometheus_client."""

    def __init__(self) -> None:
        self.clock, self.queue, self.other = SetClock(), OneQueue(), OneQueue("other")
        self.exporter = Exporter([self.queue, self.other], self.clock, timedelta(seconds=15))
        self.registry = CollectorRegistry()
        self.registry.register(self.exporter)

    def read(self, *, later: timedelta = timedelta()) -> None:
        self.clock.at += later
        self.exporter.read_once()

    def length(self, queue: str = "redis") -> float | None:
        return self.registry.get_sample_value(LENGTH, {"queue": queue})

    def up(self, source: str = "redis") -> float | None:
        return self.registry.get_sample_value("abops_exporter_up", {"source": source})


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_the_last_column_is_the_value_and_the_others_are_the_labels() -> None:
    rows = [("pro", "EUR", 120), ("free", "EUR", 0)]

    assert [
        Sample("analyticbot_mrr", ("pro", "EUR"), 120.0, NOON),
        Sample("analyticbot_mrr", ("free", "EUR"), 0.0, NOON),
    ] == samples_of(MRR, rows, NOON)


def test_a_value_without_labels() -> None:
    assert [Sample("analyticbot_overdue_posts", (), 7.0, NOON)] == samples_of(OVERDUE, [(7,)], NOON)


def test_a_sum_of_nothing_is_zero() -> None:
    (sample,) = samples_of(MRR, [("pro", "EUR", None)], NOON)

    assert 0.0 == sample.value


def test_no_rows_give_no_samples() -> None:
    assert [] == samples_of(MRR, [], NOON)


def test_a_label_that_is_no_text_becomes_one() -> None:
    (sample,) = samples_of(MRR, [(None, 5, 1)], NOON)

    assert ("None", "5") == sample.labels


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.metric)
def test_a_question_only_reads_and_names_no_person(question: Question) -> None:
    words = question.statement.lower().split()

    assert "select" == words[0]
    assert set() == {"insert", "update", "delete", "username", "chat_id", "text"} & set(words)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(), True),
        (timedelta(minutes=15), True),
        (timedelta(minutes=15, microseconds=1), False),
    ],
)
def test_a_value_is_shown_for_fifteen_minutes(age: timedelta, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert expected is is_current(Sample(LENGTH, ("default",), 1.0, NOON), NOON + age)


def message(**headers: object) -> bytes:
    return json.dumps({"body": "", "headers": headers}).encode()


def test_a_message_waits_since_it_was_sent() -> None:
    sent = message(abops_sent_at=NOON.timestamp() - 90)

    assert timedelta(seconds=90) == waiting_since(sent, NOON)


def test_a_sender_whose_clock_is_ahead_does_not_make_time_run_backwards() -> None:
    assert timedelta() == waiting_since(message(abops_sent_at=NOON.timestamp() + 60), NOON)


@pytest.mark.parametrize(
    "silent",
    [
        message(task="send"),
        message(abops_sent_at="yesterday"),
        message(abops_sent_at=None),
        b'{"headers": null}',
        b"{}",
        b"[]",
        b'{"headers": {',
        b"",
        b"\xff\xfe\xfd",
    ],
)
def test_a_message_that_does_not_say_has_not_waited(silent: bytes) -> None:
    assert timedelta() == waiting_since(silent, NOON)


def test_before_the_first_reading_nothing_is_shown(watched: Watched) -> None:
    assert (None, None) == (watched.length(), watched.up())


def test_a_source_that_answers_is_up(watched: Watched) -> None:
    watched.read()

    assert (3.0, 1.0) == (watched.length(), watched.up())


def test_a_source_that_goes_away_keeps_its_last_values(watched: Watched) -> None:
    watched.read()
    watched.queue.is_away, watched.queue.length = True, 9.0

    watched.read(later=timedelta(minutes=15))

    assert (3.0, 0.0) == (watched.length(), watched.up())


def test_the_other_source_goes_on(watched: Watched) -> None:
    watched.queue.is_away, watched.other.length = True, 5.0

    watched.read()

    assert (0.0, 1.0) == (watched.up(), watched.up("other"))
    assert (None, 5.0) == (watched.length(), watched.length("other"))


def test_old_values_vanish_while_the_source_is_away(watched: Watched) -> None:
    watched.read()
    watched.queue.is_away = True

    watched.read(later=timedelta(minutes=15, seconds=1))

    assert (None, 0.0) == (watched.length(), watched.up())
    assert 3.0 == watched.length("other")


def test_a_source_that_comes_back_is_shown_anew(watched: Watched) -> None:
    watched.read()
    watched.queue.is_away = True
    watched.read(later=timedelta(hours=1))
    watched.queue.is_away, watched.queue.length = False, 4.0

    watched.read(later=timedelta(seconds=15))

    assert (4.0, 1.0) == (watched.length(), watched.up())


def test_a_stopped_exporter_reads_no_more(watched: Watched) -> None:
    watched.exporter.stop()

    watched.exporter.run()

    assert None is watched.up()
