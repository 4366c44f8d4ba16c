"""What of an alert makes its kind."""

import pytest

from abops.alerts.correlate.kinds import kind_of, likeness, words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("38.5 % of requests fail", "4 % of requests fail"),
        ("10.0.0.1:5432 is away", "127.0.0.1:6543 is away"),
        ("pod api-7d9f8b6c5-x2x9q restarts", "pod api-5c6b7d8f9-abcde restarts"),
        ("task 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "task 6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("commit 9fceb02d0ae598e9", "commit 1b2cf535f27731c9"),
    ],
)
def test_what_differs_every_time_is_masked(one: str, other: str) -> None:
    kinds = {kind_of({"alertname": "X"}, {"summary": text}) for text in (one, other)}
    assert 1 == len(kinds), kinds


def test_other_words_make_another_kind() -> None:
    assert kind_of({"alertname": "X"}, {"summary": "api is slow"}) != kind_of(
        {"alertname": "X"}, {"summary": "bot is slow"}
    )


def test_camel_case_is_taken_apart() -> None:
    assert {"postgres", "down", "database"} <= words_of("PostgresDown: the database")


def test_likeness_is_the_shared_part() -> None:
    assert (0.5, 0.0) == (
        likeness(frozenset("abc"), frozenset("bcd")),
        likeness(frozenset(), frozenset()),
    )
