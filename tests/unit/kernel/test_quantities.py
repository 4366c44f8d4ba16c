from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.kernel.quantities import (
    QuantityError,
    format_duration,
    humanize_seconds,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("250ms", 0.25), ("30s", 30), ("1h30m", 5400), ("7d", 604_800), ("2w", 1_209_600)],
)
def test_a_duration_is_read_in_prometheus_notation(text: str, seconds: float) -> None:
    assert timedelta(seconds=seconds) == parse_duration(text)


@pytest.mark.parametrize("text", ["", "30", "s", "1.5h", "-1h", "5 m", "1h x"])
def test_what_is_not_a_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_duration(text)
    assert f"{text!r} is not a duration" == str(caught.value)
    assert "30s, 15m" in caught.value.hint


@given(st.integers(min_value=0, max_value=10**10))
def test_a_written_duration_reads_back_as_itself(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert duration == parse_duration(format_duration(duration))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.42 s"), (12.34, "12.3 s"), (100, "1m 40s"), (3840, "1h 04m"), (266_400, "3d 02h")],
)
def test_seconds_are_written_for_people(seconds: float, text: str) -> None:
    assert text == humanize_seconds(seconds)


def test_sizes_are_binary() -> None:
    assert 64 * 1024 * 1024 == parse_size("64MiB")
    with pytest.raises(QuantityError):
        parse_size("64MB")
