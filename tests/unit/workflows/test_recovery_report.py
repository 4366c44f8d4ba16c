"""What a rehearsal comes to, and how it is told: nothing that was not shown counts as met."""

import re

import msgspec
import pytest

from abops.backup.drill.checks import Checked
from abops.workflows.recovery.page import as_html
from abops.workflows.recovery.report import Machine, Rehearsed, Report, Step, Tried, judged
from abops.workflows.recovery.words import all_rows, as_markdown, rows, verdict

EQUAL = Checked("every table as it was, row by row", "passed", "8 tables, 150011 rows")
GOOD = Rehearsed(
    number=1,
    title="database corruption",
    outcome="failed",
    rto_s=8.0,
    rto_target_s=3_600.0,
    rpo_s=0.4,
    rpo_target_s=300.0,
    steps=(
        Step(line='abops backup cutover "$NEW" --yes', seconds=3.0),
        Step(line="abops backup run --type full", seconds=9.0, counts=False),
    ),
    checks=(EQUAL,),
    tables=8,
    rows=150_011,
)
NOT_RUN = Rehearsed(number=2, title="cluster rebuild", outcome="not run", reason="no cluster")
MACHINE = Machine(cpus=2, load_before=1.0, load_after=1.5, engine="2.55.1", postgres="15.18")


def a_report(*scenarios: Rehearsed, trials: tuple[Tried, ...] = ()) -> Report:
    return Report(
        id="20261125-1",
        started=0.0,
        ended=60.0,
        scenarios=scenarios,
        machine=MACHINE,
        trials=trials,
    )


def changed(**different: object) -> Rehearsed:
    return judged(msgspec.structs.replace(GOOD, **different))


def test_all_lines_all_tables_and_both_targets_make_it_met() -> None:
    assert ("met", "") == (judged(GOOD).outcome, judged(GOOD).reason)


@pytest.mark.parametrize(
    ("different", "why"),
    [
        ({"rto_s": 3_601.0}, "RTO 3601.0 s is over 3600 s"),
        ({"rpo_s": 300.5}, "RPO 300.5 s is over 300 s"),
        ({"rpo_s": None}, "RPO is not known"),
        ({"checks": (Checked("takes writes", "failed", "no"),)}, "not true: takes writes (no)"),
        (
            {"steps": (Step(line="false", seconds=0.1, code=1, told="x"),)},
            "`false` ended with 1: x",
        ),
    ],
)
def test_what_is_over_unknown_or_wrong_is_failed_and_says_why(
    different: dict[str, object], why: str
) -> None:
    one = changed(**different)
    assert ("failed", why) == (one.outcome, one.reason)


def test_what_was_not_run_is_not_met() -> None:
    report = a_report(judged(GOOD), NOT_RUN)
    assert "1 of 2 met; not run: scenario 2" == verdict(report)
    assert [("scenario 2", "not run", "no cluster")] == list(report.unmet)
    assert ["✓ met", "○ not run"] == [row["outcome"] for row in rows(report)]


def test_commands_and_disasters_stand_in_one_table() -> None:
    trial = Tried(name="verify-backup.sh --validate", outcome="failed", seconds=1.04, detail="x")
    report = a_report(judged(GOOD), trials=(trial,))
    assert [
        {"check": trial.name, "outcome": "● failed", "seconds": 1.0, "detail": "x"},
        {
            "check": "scenario 1: database corruption",
            "outcome": "✓ met",
            "seconds": 0.0,
            "detail": "RTO 8.0 s, RPO 0.4 s, 8 tables, 150,011 rows",
        },
    ] == all_rows(report)
    assert "1 of 2 met; failed: verify-backup.sh --validate" == verdict(report)
    assert f"| {trial.name} | ● failed | 1.0 | x |" in as_markdown(report)


def test_the_page_loads_nothing_and_shows_text_as_text() -> None:
    page = as_html(a_report(changed(reason="", title="<script>alert(1)</script>"), NOT_RUN))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert [] == re.findall(r"(?:src|href)=\"(?!#)", page)
    assert "url(" not in page
    assert "no cluster" in page
