"""Answers that many readers share."""

import asyncio
from datetime import UTC, datetime

import pytest

from abops.clients.answers import Answers


class StoppedClock:
    """A clock that is moved by hand."""

    seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def ask(self) -> int:
        self.asked += 1
        await self.gate.wait()
        if self.fails:
            raise ConnectionError
        return self.asked


async def test_an_answer_serves_until_it_is_no_longer_fresh() -> None:
    clock, source = StoppedClock(), Source()
    answers: Answers[int] = Answers(clock, fresh_s=15)
    assert [1, 1] == [await answers.get("q", source.ask) for _ in range(2)]
    clock.seconds = 15
    assert 2 == await answers.get("q", source.ask)


async def test_who_asks_while_a_question_is_under_way_waits_for_its_answer() -> None:
    source = Source()
    source.gate.clear()
    answers: Answers[int] = Answers(StoppedClock())
    readers = [asyncio.ensure_future(answers.get("q", source.ask)) for _ in range(3)]
    await asyncio.sleep(0)
    readers[0].cancel()
    source.gate.set()
    assert [1, 1] == await asyncio.gather(*readers[1:])
    with pytest.raises(asyncio.CancelledError):
        await readers[0]


async def test_a_failure_is_not_kept_but_the_last_good_answer_is() -> None:
    clock, source = StoppedClock(), Source()
    answers: Answers[int] = Answers(clock)
    await answers.get("q", source.ask)
    clock.seconds, source.fails = 100, True
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await answers.get("q", source.ask)
    assert (1, 100.0) == answers.last("q")
    source.fails = False
    assert 4 == await answers.get("q", source.ask)


async def test_what_is_no_longer_fresh_is_dropped_where_the_last_answer_is_not_wanted() -> None:
    clock = StoppedClock()
    answers: Answers[int] = Answers(clock, fresh_s=15, keeps_old=False)
    answers.keep("a", 1)
    clock.seconds = 10
    answers.keep("b", 2)
    clock.seconds = 20
    answers.keep("c", 3)
    assert [None, (2, 10.0), (3, 0.0)] == [answers.last(question) for question in "abc"]


async def test_the_oldest_answer_makes_room() -> None:
    answers: Answers[int] = Answers(StoppedClock(), at_most=2)
    for question in "abc":
        answers.keep(question, 1)
    assert [None, (1, 0.0), (1, 0.0)] == [answers.last(question) for question in "abc"]
