from datetime import timedelta

import pytest

from abops.entry.web import wording


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(seconds=60), "1 m"),
        (timedelta(minutes=59, seconds=59), "59 m"),
        (timedelta(hours=1, minutes=4), "1h 04m"),
        (timedelta(days=3, hours=2, minutes=50), "3d 02h"),
    ],
)
def test_ages_are_read_at_a_glance(elapsed: timedelta, text: str) -> None:
    assert text == wording.ago(elapsed)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1200, "1.2k"), (14_000, "14k"), (2_300_000, "2.3M")],
)
def test_counts_take_at_most_four_figures(number: int, text: str) -> None:
    assert text == wording.short_count(number)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:9090/graph", "http://127.0.0.1:9090/graph"),
        ("https://runbooks.example.org/x", "https://runbooks.example.org/x"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("", ""),
    ],
)
def test_only_web_addresses_from_alerts_become_links(url: str, shown: str) -> None:
    assert shown == wording.web_address(url)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Run `abops alerts list`.", "Run <code>abops alerts list</code>."),
        ("`<b>` & <i>", "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"),
        ("one ` alone <b>", "one ` alone &lt;b&gt;"),
        ("", ""),
    ],
)
def test_code_in_a_hint_is_shown_as_code_and_nothing_else_is_markup(text: str, shown: str) -> None:
    assert shown == wording.with_code(text)
