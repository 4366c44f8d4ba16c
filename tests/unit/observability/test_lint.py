import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert

from abops.observability.contract import Contract, Metric
from abops.observability.lint.model import Facts, Subject
from abops.observability.lint.panels import panel_findings, panel_subjects, plain
from abops.observability.lint.run import constants, lint, recorded_labels, rule_subjects
from abops.observability.lint.schema import schema_findings

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "tests" / "rules" / "dashboard.schema.json").read_text())
TARGET = frozenset({"env", "service", "job", "instance"})


def a_contract(job: str, version: str = "1.0", **metrics: tuple[str, str]) -> Contract:
    held = {
        name: Metric(name, kind, frozenset(filter(None, labels.split(","))))
        for name, (kind, labels) in metrics.items()
    }
    return Contract(job, job, version, "recorded", TARGET, held)


API = a_contract(
    "api",
    requests_total=("counter", "code"),
    seconds_bucket=("histogram", "le"),
    inflight=("gauge", ""),
    build_info=("gauge", "version"),
    up=("gauge", ""),
    process_open_fds=("gauge", ""),
    process_max_fds=("gauge", ""),
)
NODE = a_contract(
    "node",
    node_cpu_total=("counter", "mode"),
    free_bytes=("gauge", "mountpoint"),
    up=("gauge", ""),
)
FACTS = Facts(
    (API, NODE),
    {"service:requests:rate5m": frozenset({"env", "service"}), "ALERTS": None},
    {"api": timedelta(seconds=5), "node": timedelta(seconds=30)},
    frozenset({"slo:budget:ratio"}),
)


def found(expr: str, **more: timedelta | str | dict[str, str]) -> list[str]:
    subject = convert(
        {"file": "rules.yml", "name": "Rule", "kind": "alert", "expr": expr, **more}, Subject
    )
    return [finding.check for finding in lint([subject], FACTS)]


def reason(expr: str) -> str:
    (finding,) = lint([Subject("rules.yml", "Rule", "alert", expr)], FACTS)
    return finding.reason


ERRORS = 'rate(requests_total{code="500"}[5m])'
ALL = "rate(requests_total[5m])"


@pytest.mark.parametrize(
    ("check", "bad", "good"),
    [
        ("metric-unknown", "request_total > 1", "inflight > 1"),
        ("metric-unknown", 'node_cpu_total{job="api"} == 1', 'node_cpu_total{job="node"} == 1'),
        ("label-unknown", 'inflight{kode="5"} > 1', 'inflight{service="api"} > 1'),
        ("label-unknown", "sum by (code) (inflight) > 1", "sum by (env) (inflight) > 1"),
        (
            "label-unknown",
            "sum by (env) (inflight) * on (service) inflight > 1",
            "sum by (service) (inflight) * on (service) inflight > 1",
        ),
        ("ratio-unguarded", f"{ERRORS} / {ALL} > 0.1", f"{ERRORS} / ({ALL} > 0) > 0.1"),
        (
            "ratio-unguarded",
            "inflight / inflight > 0.1",
            "inflight / label_replace(inflight > 0, 'a', 'b', 'c', 'd') > 0.1",
        ),
        ("counter-compared", "requests_total > 0", "increase(requests_total[5m]) > 0"),
        ("counter-compared", "sum(requests_total) > 9", "inflight > 0"),
        ("info-compared", "build_info == 0", "absent(build_info)"),
        (
            "limit-absolute",
            "process_open_fds > 1000",
            "process_open_fds / (process_max_fds > 0) > 0.8",
        ),
        ("rate-of-gauge", "rate(inflight[5m]) > 1", "deriv(inflight[5m]) > 1"),
        ("slope-of-counter", "deriv(requests_total[5m]) > 1", "rate(requests_total[5m]) > 1"),
        ("rate-too-short", "rate(requests_total[15s]) > 1", "rate(requests_total[20s]) > 1"),
        ("rate-too-short", "rate(node_cpu_total[1m]) > 1", "rate(node_cpu_total[2m]) > 1"),
        (
            "prediction-too-short",
            "predict_linear(free_bytes[6h], 86400) < 0",
            "predict_linear(free_bytes[1d], 86400) < 0",
        ),
        (
            "raw-buckets",
            "sum(increase(seconds_bucket[2h])) > 1",
            'sum(increase(seconds_bucket{le="0.5"}[2h])) > 1',
        ),
        (
            "rate-of-joined",
            "rate((requests_total or node_cpu_total)[5m:30s]) > 1",
            "rate(requests_total[5m]) or rate(node_cpu_total[5m])",
        ),
        ("rate-of-joined", "rate(sum(requests_total)[5m:30s]) > 1", f"sum({ALL}) > 1"),
        (
            "absence-unwatched",
            'up{job="api"} == 0',
            'up{job="api"} == 0 or absent(up{job="api"})',
        ),
        ("not-promql", "sum((", "inflight > 1"),
    ],
)
def test_a_mistake_is_found_and_its_remedy_is_not(check: str, bad: str, good: str) -> None:
    assert check in found(bad)
    assert [] == found(good)


def test_a_ratio_without_errors_is_zero_on_boards_but_may_be_absent_in_alerts() -> None:
    ratio = f"sum({ERRORS}) / (sum({ALL}) > 0)"

    assert ["ratio-without-zero"] == found(ratio, kind="panel")
    assert [] == found(f"(sum({ERRORS}) or 0 * sum({ALL})) / (sum({ALL}) > 0)", kind="panel")
    assert [] == found(f"{ratio} > 0.1")


@pytest.mark.parametrize("divisor", ["slo:budget:ratio", "prometheus_rule_group_interval_seconds"])
def test_what_is_never_zero_may_be_divided_by(divisor: str) -> None:
    assert "ratio-unguarded" not in found(f"inflight / {divisor} > 1")


def test_a_guard_in_a_divisor_is_not_a_comparison_of_a_counter() -> None:
    assert [] == found("inflight / (requests_total > 0) > 1")


def test_a_mean_is_not_waited_for_twice() -> None:
    mean = "avg_over_time(inflight[5m]) > 1"

    assert ["waits-twice"] == found(mean, hold=timedelta(minutes=5))
    assert [] == found(mean)
    assert [] == found("inflight > 1", hold=timedelta(minutes=5))


def test_a_label_that_was_aggregated_away_cannot_be_named() -> None:
    texts = {"summary": "{{ $labels.service }} in {{ $labels.env }}, {{ $labels.team }}"}

    lost = found("sum by (env) (inflight) > 1", texts=texts, labels={"team": "dev"})
    kept = found("sum by (env, service) (inflight) > 1", texts=texts, labels={"team": "dev"})

    assert (["label-lost"], []) == (lost, kept)


def test_the_absence_of_a_job_may_be_watched_by_another_rule() -> None:
    down = Subject("rules.yml", "Down", "alert", 'up{job="api"} == 0')
    other = Subject("rules.yml", "Gone", "alert", 'absent_over_time(up{job="node"}[1m])')
    same = Subject("rules.yml", "Gone", "alert", 'absent_over_time(up{job="api"}[1m])')

    assert ["Down"] == [finding.name for finding in lint([down, other], FACTS)]
    assert [] == [finding.name for finding in lint([down, same], FACTS)]


def test_a_name_that_does_not_exist_is_told_with_the_nearest() -> None:
    assert "the nearest is requests_total" in reason("increase(request_total[5m]) > 1")
    assert "the nearest is code" in reason('increase(requests_total{kode="5"}[5m]) > 1')


def test_a_name_of_another_job_is_told_with_the_file_that_has_it() -> None:
    assert "not in the contract of job api, but in node@1.0.txt" in reason(
        'node_cpu_total{job="api"} == 1'
    )


def test_a_name_must_be_in_every_version_of_its_exporter() -> None:
    older = a_contract("api", "0.9", up=("gauge", ""))
    facts = Facts((API, older), {}, {})

    findings = lint([Subject("r.yml", "R", "alert", 'inflight{job="api"} > 1')], facts)

    assert ["api@0.9.txt lacks inflight"] == [finding.reason for finding in findings]


def test_recorded_series_have_the_labels_of_what_they_read() -> None:
    rules = {
        "groups": [
            {
                "rules": [
                    {"record": "b:x:sum", "expr": "sum by (env) (a:x:rate5m)"},
                    {
                        "record": "a:x:rate5m",
                        "expr": "sum by (env, code) (rate(requests_total[5m]))",
                        "labels": {"slo": "one"},
                    },
                    {"record": "c:x:const", "expr": 'group by (env) (up{env!=""}) * 0.01'},
                ]
            }
        ]
    }
    subjects = rule_subjects("recording.yml", rules)

    labels = recorded_labels(subjects, FACTS)

    assert {"env", "code", "slo"} == labels["a:x:rate5m"]
    assert {"env"} == labels["b:x:sum"]
    assert {"c:x:const"} == constants(subjects)


def test_what_grafana_fills_in_is_replaced() -> None:
    assert 'rate(m{env=~"$env"}[1m])' == plain('rate(m{env=~"${env:regex}"}[$__rate_interval])')
    assert "rate(m[2m])" == plain("rate(m[$__rate_interval])", "30s")
    assert "increase(m[1d])" == plain("increase(m[$__range])")


def a_panel(**changed: object) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    panel = {
        "id": 1,
        "type": "stat",
        "title": "Requests",
        "description": "How many.",
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": "reqps", "noValue": "none"}, "overrides": []},
        "targets": [{"refId": "A", "expr": "inflight", "datasource": source}],
    }
    return panel | changed


def a_board(
    *panels: Mapping[str, Any], variables: tuple[str, ...] = ("datasource",)
) -> dict[str, Any]:
    return {
        "title": "Board",
        "schemaVersion": 42,
        "panels": list(panels),
        "templating": {"list": [{"name": name, "type": "datasource"} for name in variables]},
    }


@pytest.mark.parametrize(
    ("check", "changed"),
    [
        ("panel-description", {"description": " "}),
        ("panel-unit", {"fieldConfig": {"defaults": {"noValue": "none"}}}),
        ("panel-no-value", {"fieldConfig": {"defaults": {"unit": "s"}}}),
        ("panel-id", {"id": None}),
        (
            "panel-ref-id",
            {"targets": [{"expr": "a", "datasource": {"uid": "${datasource}"}}]},
        ),
        ("panel-datasource", {"datasource": {"uid": "prometheus"}}),
    ],
)
def test_a_panel_that_does_not_explain_itself_is_found(check: str, changed: dict[str, Any]) -> None:
    bad = panel_findings("b.json", a_board(a_panel(**changed)))
    good = panel_findings("b.json", a_board(a_panel()))

    assert ([check], []) == ([finding.check for finding in bad], list(good))


def test_panels_in_collapsed_rows_are_looked_at_and_ids_are_their_own() -> None:
    row = {"type": "row", "panels": [a_panel(title="Inner")]}

    findings = panel_findings("b.json", a_board(a_panel(), row))

    assert [("Inner", "panel-id")] == [(finding.name, finding.check) for finding in findings]


def test_a_board_without_a_choice_of_datasource_is_found() -> None:
    findings = panel_findings("b.json", a_board(a_panel(), variables=("env",)))

    assert ["board-datasource"] == [finding.check for finding in findings]


def test_the_queries_of_panels_annotations_and_variables_are_expressions() -> None:
    board = a_board(a_panel())
    board["annotations"] = {"list": [{"name": "deploys", "expr": "b"}, {"name": "built in"}]}
    board["templating"]["list"] = [
        {"name": "env", "query": {"query": "label_values(up, env)"}},
        {"name": "datasource", "query": "prometheus"},
    ]

    subjects = panel_subjects("b.json", board)

    assert ["inflight", "b", "count by (env) (up)"] == [subject.expr for subject in subjects]


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"titel": "x"}, "panels[0] (panel 'Requests')"),
        (
            {"gridPos": {"h": "8", "w": 8, "x": 0, "y": 0}},
            "panels[0].gridPos.h (panel 'Requests')",
        ),
    ],
)
def test_a_field_that_grafana_does_not_know_is_found(changed: dict[str, Any], place: str) -> None:
    bad = schema_findings(SCHEMA, {"b.json": a_board(a_panel(**changed))})
    good = schema_findings(SCHEMA, {"b.json": a_board(a_panel())})

    assert ([place], []) == ([finding.name for finding in bad], list(good))
