"""The weekly report: figures beside those of the week before, a proposal in each row."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.score.fatigue import Closed, Page, fatigue
from abops.alerts.service.period import Statistics, by_kind, closed
from abops.alerts.service.report import weekly
from abops.alerts.store.statistics import Lived

MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
WEEK_S = 7 * 86_400.0


def lived(number: int, kind: str = "DiskGrows", **changes: object) -> Lived:
    values: dict[str, object] = {
        "title": f"{kind}: /var is <full> & slow",
        "service": "postgres",
        "severity": "warning",
        "state": "resolved",
        "alerts": 2,
        "opened_at": 1_000.0 * number,
        "acked_at": None,
        "resolved_at": 1_000.0 * number + 120,
        "resolved_by": "",
        "quiet": 1,
        "noise": 0,
    }
    return Lived(number=number, kind=kind, **(values | changes))  # type: ignore[arg-type]


def a_week(found: list[Lived], *, before: list[Closed] | None = None) -> Statistics:
    pages = [Page("ana", 3), Page("ana", 4), Page("ana", 5), Page("bo", 14)]
    now = fatigue(pages, [closed(i) for i in found], period_s=WEEK_S)
    return Statistics(
        since=MONDAY - timedelta(days=7),
        until=MONDAY,
        now=now,
        before=fatigue((), before or (), period_s=WEEK_S),
        kinds=by_kind(found, now.kinds),
        unresolved=tuple((i.number, i.title) for i in found if i.state != "resolved"),
    )


def test_the_text_sets_this_week_beside_the_week_before() -> None:
    before = [Closed(1, "Old", 9, 0.0, acked_at=60.0, resolved_at=600.0)]
    taken = lived(1, acked_at=1_090.0, resolved_by="ana")
    report = weekly(a_week([taken, lived(2)], before=before), name="demo")
    lines = [line.split() for line in report.text.splitlines()]
    assert "demo: 2 incidents, 2026-11-16 to 2026-11-23" == report.subject
    assert ["Incidents", "2", "1"] in lines
    assert ["Median", "time", "to", "acknowledge", "1m", "30s", "1m", "00s"] in lines
    assert ["of", "them", "at", "night", "3", "0"] in lines


def test_the_noisiest_kind_comes_first_with_what_to_change() -> None:
    found = [lived(n) for n in range(1, 7)] + [lived(9, "ApiErrorStorm", acked_at=9_030.0)]
    text = " ".join(weekly(a_week(found), name="demo").text.split())
    noisy = text.index("DiskGrows")
    assert noisy < text.index("Let DiskGrows hold 3 min longer") < text.index("ApiErrorStorm")
    assert "Make DiskGrows a line of the digest" in text
    assert "Nothing to change." in text


def test_pages_are_told_a_person_with_a_proposal_and_what_is_open_by_number() -> None:
    report = weekly(a_week([lived(7, state="open", resolved_at=None)]), name="demo")
    assert "add somebody to the rotation" in report.text
    assert "INC-7" in report.text
    assert "/var is &lt;full&gt; &amp; slow" in report.html
    assert "<full>" not in report.html


def test_a_week_without_anything_says_so() -> None:
    report = weekly(a_week([]), name="demo")
    assert report.subject.startswith("demo: 0 incidents")
    assert "No incident." in report.text
    assert "Nothing." in report.text


def test_an_incident_that_went_quiet_three_times_flapped() -> None:
    assert [False, True] == [closed(lived(1, quiet=n)).flapped for n in (2, 3)]


@given(st.lists(st.sampled_from(["A", "B", "C"]), max_size=30))
def test_kinds_lose_no_incident_and_fall_in_frequency(kinds: list[str]) -> None:
    found = [lived(n, kind) for n, kind in enumerate(kinds, 1)]
    rows = by_kind(found, ())
    counts = [row.incidents for row in rows]
    assert len(found) == sum(counts)
    assert sorted(counts, reverse=True) == counts
    assert len(set(kinds)) == len(rows)
