import json
from typing import Any

import pytest

from abops.observability.mutate.equivalent import (
    Allowed,
    EquivalentFileError,
    read_allowed,
    stale,
    unexcused,
)
from abops.observability.mutate.expression import changes
from abops.observability.mutate.suite import Mutant, Suite, batches, mutants
from abops.observability.mutate.verdict import UnreadableVerdictError, verdicts


def changed(expr: str) -> dict[str, str]:
    return {change.words: change.expr for change in changes(expr)}


def a_suite(*rules: dict[str, Any], tests: list[dict[str, Any]] | None = None) -> Suite:
    asked = tests or [{"alert_rule_test": [{"eval_time": "1m", "alertname": "Full"}]}]
    return Suite(
        "Full",
        {"groups": [{"name": "g", "rules": list(rules)}]},
        {"rule_files": ["Full.rules.yml"], "tests": asked},
    )


FULL = {"alert": "Full", "expr": "m > 10", "for": "5m"}


def test_a_comparison_is_turned_and_its_limit_moved() -> None:
    assert {
        "> -> <": "m < 10",
        "10 -> 12.5": "m > 12.5",
        "10 -> 8": "m > 8",
    } == changed("m > 10")


def test_a_limit_of_zero_cannot_be_scaled() -> None:
    assert {"> -> <": "m < 0"} == changed("m > 0")


def test_either_leg_is_dropped() -> None:
    assert {
        "unless: right leg dropped": "(a)",
        "unless: left leg dropped": "(b)",
    } == changed("a unless on (x) b")


def test_a_matcher_is_dropped_from_every_selector_that_has_it() -> None:
    assert {
        'matcher job="x" dropped': 'a / b{c="d"}',
        'matcher c="d" dropped': 'a{job="x"} / b{job="x"}',
    } == changed('a{job="x"} / b{job="x",c="d"}')


def test_a_range_is_changed_wherever_it_stands() -> None:
    assert {
        "range 1m -> 2m": "rate(a[2m]) / rate(b[2m])",
        "range 1m -> 30s": "rate(a[30s]) / rate(b[30s])",
    } == changed("rate(a[1m]) / rate(b[1m])")


def test_the_range_of_a_subquery_and_a_forgotten_shift_are_mistakes() -> None:
    assert {
        "range 1h -> 2h": "max_over_time(a[2h:5m]) - a offset 1d",
        "range 1h -> 30m": "max_over_time(a[30m:5m]) - a offset 1d",
        "offset 1d dropped": "max_over_time(a[1h:5m]) - a",
    } == changed("max_over_time(a[1h:5m]) - a offset 1d")


def test_a_chosen_quantile_is_moved_but_not_the_count_of_topk() -> None:
    assert ["0.99 -> 1.2375", "0.99 -> 0.792"] == list(changed("histogram_quantile(0.99, m)"))
    assert [] == list(changed("topk(3, m)"))


def test_mistakes_of_the_same_words_are_numbered() -> None:
    assert ["> -> <", "> -> < #2"] == [w for w in changed("(a > 0) / b > 0") if "->" in w]


def test_the_hold_is_doubled_and_removed() -> None:
    words = [mutant.words for mutant in mutants(a_suite(FULL))]

    assert ["for 5m -> 10m", "for 5m removed"] == words[-2:]


def test_mutants_stand_in_one_file_under_names_of_their_own() -> None:
    suite = a_suite(FULL)

    (batch,) = batches(suite, mutants(suite))

    rules = json.loads(batch.rules)["groups"][0]["rules"]
    asked = json.loads(batch.tests)["tests"][0]["alert_rule_test"]
    assert [f"Full_m{n}" for n in range(5)] == [rule["alert"] for rule in rules]
    assert [f"Full_m{n}" for n in range(5)] == [entry["alertname"] for entry in asked]


def test_a_recorded_series_is_asked_for_under_the_mutants_name() -> None:
    entry = {
        "eval_time": "1m",
        "expr": "s:m:sum",
        "exp_samples": [{"labels": 's:m:sum{a="b"}', "value": 1}],
    }
    suite = a_suite(
        {"record": "s:m:sum", "expr": "sum(m) * 2"}, tests=[{"promql_expr_test": [entry]}]
    )

    (batch,) = batches(suite, mutants(suite)[:1])

    (asked,) = json.loads(batch.tests)["tests"][0]["promql_expr_test"]
    assert "s:m:sum_m0" == asked["expr"]
    assert 's:m:sum_m0{a="b"}' == asked["exp_samples"][0]["labels"]


@pytest.mark.parametrize(
    "others",
    [
        ({"record": "Full:x", "expr": "Full + 1"},),
        ({"alert": "Told", "expr": 'ALERTS{alertname="X"}'},),
        ({"alert": "Full", "expr": "n > 1"},),
    ],
)
def test_a_rule_whose_name_is_read_keeps_it(others: tuple[dict[str, Any], ...]) -> None:
    suite = a_suite(FULL, *others)
    own = [mutant for mutant in mutants(suite) if mutant.place == 0]

    made = batches(suite, own)

    assert [{"Full": mutant} for mutant in own] == [batch.mutants for batch in made]


SAID = """\
Unit Testing:  Full.0.test.yml
  FAILED:
    name: Full: past,
    alertname: Full_m0, time: 5m,
        exp:[] got:[]
"""


def test_a_mutant_that_a_case_named_was_noticed() -> None:
    suite = a_suite(FULL)
    (batch,) = batches(suite, mutants(suite))

    verdict = verdicts(SAID, {batch.name: batch})[batch.name]

    assert (frozenset({"Full_m0"}), True) == (verdict.noticed, verdict.complete)


def test_a_rule_that_cannot_be_evaluated_means_to_ask_again_for_the_others() -> None:
    suite = a_suite(FULL)
    (batch,) = batches(suite, mutants(suite))
    said = "Unit Testing:  Full.0.test.yml\n  FAILED:\n    rule: Full_m1, time: 5s, err: many\n"

    verdict = verdicts(said, {batch.name: batch})[batch.name]

    assert (frozenset({"Full_m1"}), False) == (verdict.noticed, verdict.complete)


def test_a_failure_that_names_no_mutant_is_an_error() -> None:
    suite = a_suite(FULL)
    (batch,) = batches(suite, mutants(suite))

    with pytest.raises(UnreadableVerdictError, match="no such file"):
        verdicts("Unit Testing:  Full.0.test.yml\n  FAILED:\nno such file\n", {batch.name: batch})


def test_a_file_that_promtool_did_not_judge_is_an_error() -> None:
    suite = a_suite(FULL)
    (batch,) = batches(suite, mutants(suite))

    with pytest.raises(UnreadableVerdictError, match=r"did not judge Full\.0\.test\.yml"):
        verdicts("", {batch.name: batch})


def a_mutant(words: str, rule: str = "Full", suite: str = "Full-critical") -> Mutant:
    return Mutant(suite, 0, rule, words, {})


def test_a_survivor_is_excused_by_its_rule_or_its_instance() -> None:
    survivors = (a_mutant("1 -> 2"), a_mutant("2 -> 3"), a_mutant("3 -> 4"))
    allowed = (Allowed("Full", "1 -> 2", "why"), Allowed("Full-critical", "2 -> 3", "why"))

    assert survivors[2:] == unexcused(survivors, allowed)


def test_an_entry_that_excuses_nothing_is_stale() -> None:
    judged = (a_mutant("1 -> 2"), a_mutant("2 -> 3"))
    entry = Allowed("Full", "2 -> 3", "why")
    gone = Allowed("Gone", "1 -> 2", "why")

    assert (entry, gone) == stale(judged, judged[:1], (entry, gone), whole=True)
    assert (entry,) == stale(judged, judged[:1], (entry, gone), whole=False)
    assert () == stale(judged, judged, (entry,), whole=True)


@pytest.mark.parametrize(
    "text",
    ["- {rule: A, mutation: b}", "- {rule: A, mutation: b, reason: ' '}", "rule: A"],
)
def test_an_entry_without_a_reason_is_refused(text: str) -> None:
    with pytest.raises(EquivalentFileError):
        read_allowed(text)
