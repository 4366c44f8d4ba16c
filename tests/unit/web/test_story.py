from datetime import timedelta
from typing import get_args

from abops.alerts.model import Delivery, DeliveryKind, Member, TimelineEntry
from abops.entry.web import story
from support.console import NOON, a_detail, an_alert, an_incident


def test_the_reason_is_the_worst_alert_and_of_equals_the_first() -> None:
    members = [
        Member(an_alert(name, severity=severity, starts_at=NOON + timedelta(seconds=s)), "", NOON)
        for name, severity, s in (
            ("Slow", "warning", 0),
            ("Late", "critical", 9),
            ("Early", "critical", 5),
        )
    ]
    reason = story.reason_of(a_detail(an_incident(), *members))
    assert reason is not None
    assert "Early" == reason.name


def test_updates_of_a_message_are_one_line_and_each_page_is_its_own() -> None:
    def delivery(channel: str, kind: DeliveryKind, second: float) -> Delivery:
        at = NOON + timedelta(seconds=second)
        return Delivery(channel, kind, "done", 1, at, at + timedelta(seconds=0.5), second + 0.5)

    lines = story.who_was_told(
        [
            delivery("slack", "open", 4),
            delivery("slack", "update", 20),
            delivery("pd", "open", 5),
            delivery("slack", "update", 60),
            delivery("slack", "ack", 90),
        ]
    )
    assert [
        ("slack", "opened", 4.5, 1),
        ("slack", "update", 0.5, 2),
        ("pd", "opened", 5.5, 1),
        ("slack", "acked", 0.5, 1),
    ] == [(line.delivery.channel, line.what, line.after_s, line.times) for line in lines]


def test_a_silence_in_the_timeline_is_told_and_a_short_pause_is_not() -> None:
    moments = [NOON, NOON + timedelta(seconds=9), NOON + timedelta(minutes=20)]
    entries = [TimelineEntry(at, "note", "x") for at in moments]
    gaps = [gap for gap, _ in story.with_gaps(entries)]
    assert [None, None, timedelta(minutes=19, seconds=51)] == gaps


def test_every_kind_of_message_has_a_word() -> None:
    assert set(get_args(DeliveryKind)) == set(story.WORDS)


def test_a_window_is_called_by_its_name_wherever_its_number_stands() -> None:
    text = "2 alerts silenced by window 3: the volume grows"
    assert "2 alerts silenced by window 3 (New disk): the volume grows" == story.named(
        text, {3: "New disk"}
    )
    assert text == story.named(text, {4: "Other"})
    assert "window 30 minutes" == story.named("window 30 minutes", {30: "x"})


def test_what_was_told_beside_a_storm_says_of_which() -> None:
    member = Member(an_alert(), "critical and not seen for a week: not part of INC-7", NOON)
    assert 7 == story.storm_beside(a_detail(an_incident(8), member))
    assert story.storm_beside(a_detail(an_incident(8))) is None
