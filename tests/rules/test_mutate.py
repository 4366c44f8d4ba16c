"""Mutants of small rules, judged by the real promtool."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from abops.entry.cli.observability.mutate import StaleEquivalentError, SurvivorsError, command
from abops.observability.mutate.equivalent import read_allowed
from abops.observability.mutate.suite import Suite
from abops.stack.tools import find_tool
from abops.workflows.mutation import FailingCaseError, try_mutants

ROOT = Path(__file__).parents[2]


def a_case(at: str, values: str, *, fires: bool, series: str = 'm{a="b"}') -> dict[str, Any]:
    expected = [{"exp_labels": {"a": "b"}}] if fires else []
    return {
        "interval": "15s",
        "input_series": [{"series": series, "values": values}],
        "alert_rule_test": [{"eval_time": at, "alertname": "Full", "exp_alerts": expected}],
    }


def a_suite(expr: str, *tests: dict[str, Any], hold: str = "") -> Suite:
    rule = {"alert": "Full", "expr": expr} | ({"for": hold} if hold else {})
    return Suite(
        "Full",
        {"groups": [{"name": "g", "interval": "15s", "rules": [rule]}]},
        {"rule_files": ["x"], "evaluation_interval": "15s", "tests": list(tests)},
    )


def survivors(suite: Suite) -> list[str]:
    return [mutant.words for mutant in try_mutants(find_tool("promtool"), [suite]).survivors]


ON_TIME = a_case("1m", "11x20", fires=True)
TOO_EARLY = a_case("45s", "11x20", fires=False)
JUST_UNDER = a_case("3m", "9x20", fires=False)


def test_cases_around_the_threshold_and_the_hold_notice_everything() -> None:
    suite = a_suite("m > 10", ON_TIME, TOO_EARLY, JUST_UNDER, hold="1m")

    assert [] == survivors(suite)


@pytest.mark.parametrize(
    ("cases", "left"),
    [
        ((TOO_EARLY, JUST_UNDER), ["10 -> 12.5", "for 1m -> 2m"]),
        ((ON_TIME, JUST_UNDER), ["for 1m removed"]),
        ((ON_TIME, TOO_EARLY), ["10 -> 8"]),
    ],
)
def test_a_missing_case_lets_its_mutants_live(cases: tuple[Any, ...], left: list[str]) -> None:
    assert left == survivors(a_suite("m > 10", *cases, hold="1m"))


def test_a_matcher_needs_a_case_with_another_value() -> None:
    fires = a_case("1m", "11x20", fires=True)
    under = a_case("1m", "9x20", fires=False)
    other = a_case("1m", "11x20", fires=False, series='m{a="other"}')

    assert ['matcher a="b" dropped'] == survivors(a_suite('m{a="b"} > 10', fires, under))
    assert [] == survivors(a_suite('m{a="b"} > 10', fires, under, other))


def test_a_mutant_that_cannot_be_evaluated_does_not_hide_the_others() -> None:
    fires = a_case("1m", "1x20", fires=True)
    twice = {"series": 'n{a="b",c="1"}', "values": "1x20"}
    again = {"series": 'n{a="b",c="2"}', "values": "1x20"}
    fires["input_series"] += [twice, again]

    left = survivors(a_suite('m * on (a) n{c="1"} > 0.5', fires))

    assert ["0.5 -> 0.625", "0.5 -> 0.4"] == left


def test_a_recorded_series_is_judged_by_its_samples() -> None:
    test = {
        "interval": "14s",
        "input_series": [{"series": 'm{a="b"}', "values": "0+14x100"}],
        "promql_expr_test": [
            {
                "eval_time": "5m",
                "expr": "a:m:rate1m",
                "exp_samples": [{"labels": 'a:m:rate1m{a="b"}', "value": 1}],
            }
        ],
    }
    suite = Suite(
        "a:m:rate1m",
        {"groups": [{"name": "g", "rules": [{"record": "a:m:rate1m", "expr": "rate(m[1m])"}]}]},
        {"rule_files": ["x"], "evaluation_interval": "15s", "tests": [test]},
    )

    assert ["range 1m -> 2m", "range 1m -> 30s"] == survivors(suite)


def test_a_case_that_fails_without_a_mistake_is_an_error() -> None:
    with pytest.raises(FailingCaseError, match="Full"):
        survivors(a_suite("m > 10", a_case("1m", "11x20", fires=False)))


def test_the_list_of_excuses_can_be_read() -> None:
    text = (ROOT / "tests" / "rules" / "equivalent.yml").read_text()

    assert all(entry.reason for entry in read_allowed(text))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "platform.yaml").write_text((ROOT / "platform.yaml").read_text())
    (tmp_path / "tests" / "rules").mkdir(parents=True)
    return tmp_path


def test_mutants_of_one_alert_die_and_are_counted(root: Path) -> None:
    asked = ["--inventory", str(root / "platform.yaml"), "--alert", "ProbeFailed"]

    result = CliRunner().invoke(command, asked)

    assert (0, True) == (result.exit_code, "6/6 mutants of 1 rules killed" in result.output)


def test_an_excuse_for_a_mutant_that_dies_is_an_error(root: Path) -> None:
    entry = "- {rule: ProbeFailed, mutation: 0.5 -> 0.4, reason: none}\n"
    (root / "tests" / "rules" / "equivalent.yml").write_text(entry)
    asked = ["--inventory", str(root / "platform.yaml"), "--alert", "ProbeFailed"]

    result = CliRunner().invoke(command, asked)

    assert isinstance(result.exception, StaleEquivalentError)


def test_a_survivor_is_an_error_that_names_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = a_suite("m > 10", ON_TIME, TOO_EARLY, hold="1m")
    monkeypatch.setattr("abops.observability.mutate.suite.suites", lambda _files: (suite,))
    asked = ["--inventory", str(root / "platform.yaml"), "--alert", "Full"]

    result = CliRunner().invoke(command, asked)

    assert isinstance(result.exception, SurvivorsError)
    assert "Full\t10 -> 8" in result.output
