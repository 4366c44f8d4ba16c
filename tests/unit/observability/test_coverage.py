"""The coverage audit: what counts as watched, and what a live look takes away again."""

from datetime import timedelta
from pathlib import Path

import pytest

from abops.entry.cli.observability.coverage import stack_logs
from abops.inventory.load import load_inventory
from abops.observability.boards.model import Board, Panel, Query, Row
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.recording import Recording
from abops.observability.coverage import (
    WEIGHTS,
    Catalogue,
    Component,
    Finding,
    Seen,
    audit,
    components,
    covers,
    share_met,
)

INVENTORY = load_inventory(Path(__file__).parents[3] / "platform.yaml")
API = Component(name="api", kind="fastapi", tier=1, job="analyticbot-api", probed=True)


def an_alert(name: str, expr: str, category: str, **labels: str) -> Alert:
    return Alert(
        name=name,
        group="api",
        severity="critical",
        expr=expr,
        threshold=None,
        unit="",
        reason="",
        summary="",
        impact="",
        runbook=Runbook("", "", ""),
        cases=(Case("fires", {}, timedelta(), (Fired(),)),),
        labels={"category": category, **labels},
    )


WATCHED = Catalogue(
    alerts=(
        an_alert("Gone", 'absent_over_time(up{job="analyticbot-api"}[15s])', "availability"),
        an_alert("Probe", 'probe_success{tier="1"} == 0', "availability"),
        an_alert("Full", 'service:memory_limit:ratio{service="api"} > 0.9', "saturation"),
        an_alert("Errors", "service:http_server_errors:ratio_rate5m > 0.05", "errors"),
    ),
    recordings=(
        Recording("service:http_server_requests:rate5m", "rate(http_server_requests_total[5m])"),
    ),
    boards=(
        Board(
            "ab-api",
            "",
            "",
            (Row("", (Panel("", "", "s", (Query('up{service="api"}'),)),)),),
        ),
    ),
    objectives=frozenset({"api"}),
    runbooks=frozenset({"Gone", "Probe", "Full", "Errors"}),
)
HEALTHY = Seen(
    up=frozenset({"analyticbot-api"}),
    broken_rules=frozenset(),
    filled=frozenset({"api"}),
    logged=frozenset({"api"}),
    traced=frozenset({"api"}),
)


def of_api(found: tuple[Finding, ...]) -> dict[str, str]:
    return {f.need: f.why for f in found if f.component == "api"}


def test_a_watched_service_meets_every_need() -> None:
    found = of_api(audit(INVENTORY, WATCHED))

    assert dict.fromkeys(WEIGHTS, "") == found


def test_a_healthy_environment_takes_nothing_away() -> None:
    found = of_api(audit(INVENTORY, WATCHED, HEALTHY))

    assert dict.fromkeys(WEIGHTS, "") == found


@pytest.mark.parametrize(
    ("seen", "need", "why"),
    [
        ({"up": frozenset()}, "absence alert", "job analyticbot-api does not answer Prometheus"),
        ({"broken_rules": frozenset({"Errors"})}, "error alert", "rule fails: Errors"),
        (
            {"broken_rules": frozenset({"service:http_server_requests:rate5m"})},
            "recorded rates",
            "rule fails: service:http_server_requests:rate5m",
        ),
        ({"filled": frozenset()}, "panel", "no panel about it had data"),
        ({"logged": frozenset()}, "logs", "no log line in ten minutes"),
        ({"logged": None}, "logs", "there is no store for a log line"),
        ({"traced": frozenset()}, "trace", "no span in ten minutes"),
    ],
)
def test_what_was_not_seen_is_not_met(seen: dict[str, object], need: str, why: str) -> None:
    values = {name: getattr(HEALTHY, name) for name in HEALTHY.__struct_fields__} | seen

    found = of_api(audit(INVENTORY, WATCHED, Seen(**values)))

    assert {need: why} == {name: text for name, text in found.items() if text}


@pytest.mark.parametrize(
    ("dropped", "need", "why"),
    [
        ("Gone", "tested alerts", ""),
        ("Full", "saturation alert", "no alert of category saturation"),
        ("Probe", "probe", "no alert on its probe"),
    ],
)
def test_without_its_alert_a_need_is_not_met(dropped: str, need: str, why: str) -> None:
    fewer = tuple(alert for alert in WATCHED.alerts if alert.name != dropped)
    known = Catalogue(
        fewer, WATCHED.recordings, WATCHED.boards, WATCHED.objectives, WATCHED.runbooks
    )

    assert why == of_api(audit(INVENTORY, known))[need]


def test_what_runs_and_is_unknown_meets_nothing() -> None:
    values = {name: getattr(HEALTHY, name) for name in HEALTHY.__struct_fields__}

    found = audit(INVENTORY, WATCHED, Seen(**(values | {"strangers": ("shadow",)})))

    assert [False] * len(WEIGHTS) == [f.met for f in found if f.component == "shadow"]


@pytest.mark.parametrize(
    ("expr", "labels", "expected"),
    [
        ('up{job="analyticbot-api"}', {}, True),
        ('up{job="analyticbot-bot"}', {}, False),
        ('up{job=~"analyticbot-.+"}', {}, True),
        ('x{service=~"$service"}', {}, True),
        ('x{service!="api"}', {}, False),
        ("http_server_requests_total", {}, True),
        ("telegram_bot_updates_total", {}, False),
        ("vector(1)", {"service": "api"}, True),
    ],
)
def test_an_expression_is_about_what_its_matchers_name(
    expr: str, labels: dict[str, str], *, expected: bool
) -> None:
    assert expected == covers(expr, labels, API)


def test_the_share_is_weighted() -> None:
    found = [
        Finding("a", 1, "absence alert", 3, met=True),
        Finding("a", 1, "panel", 1, met=False),
    ]

    assert share_met(found) == 0.75


def test_every_part_of_the_inventory_is_a_component_once() -> None:
    names = [component.name for component in components(INVENTORY)]

    exporters = {store.exporter for store in INVENTORY.stores}
    parts = (*INVENTORY.services, *INVENTORY.stores, *INVENTORY.platform)
    assert sorted({part.name for part in parts} - exporters) == sorted(names)


def test_an_optional_part_counts_where_it_is_and_only_there() -> None:
    values = {name: getattr(HEALTHY, name) for name in HEALTHY.__struct_fields__}
    there = Seen(**(values | {"optional": frozenset({"logs-keeper"})}))

    def counted(seen: Seen | None) -> set[str]:
        found = {finding.component for finding in audit(INVENTORY, WATCHED, seen)}
        return found & {part.name for part in INVENTORY.optional}

    assert {"opensearch", "rsyslog", "logs-keeper", "mtproto"} == counted(None)
    assert set() == counted(HEALTHY)
    assert {"logs-keeper"} == counted(there)


def test_the_log_store_is_the_stacks_where_it_runs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABOPS_STACK_DIR", str(tmp_path))
    assert stack_logs() is None
    (tmp_path / "logs.on").touch()
    (tmp_path / "ports.json").write_text('{"opensearch": 9299}')
    assert "http://127.0.0.1:9299" == stack_logs()
