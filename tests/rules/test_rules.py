"""The alert rules and routes, judged by Prometheus' and Alertmanager's own tools."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from abops.clients.promtool import Judge, VerdictError
from abops.inventory.load import load_inventory
from abops.observability import promtests
from abops.observability.catalogue.alert import Alert
from abops.observability.catalogue.recording import Recording
from abops.observability.catalogue.recordings import recordings
from abops.observability.rules import catalogue
from abops.observability.slo.groups import PREFIX
from abops.stack.tools import find_tool

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "infrastructure" / "monitoring"
INVENTORY = load_inventory(ROOT / "platform.yaml")
ALERTS = catalogue(INVENTORY)
NAMES = sorted({alert.name for alert in ALERTS})
RECORDINGS = recordings(INVENTORY)


def label(alert: Alert) -> str:
    return f"{alert.name}-{alert.instance}" if alert.instance else alert.name


def by_name(name: str) -> Alert:
    return next(alert for alert in ALERTS if alert.name == name)


def tried(alerts: tuple[Alert, ...], folder: Path, patch: pytest.MonkeyPatch) -> str:
    """Return what promtool says of the cases of `alerts`. Raises VerdictError."""
    patch.setattr(promtests, "catalogue", lambda _inventory: alerts)
    files = promtests.promtool_files(INVENTORY)
    for name, text in files.items():
        (folder / name).write_text(text)
    tests = sorted(name for name in files if name.endswith(".test.yml"))
    assert len(alerts) == len(tests)
    return Judge(find_tool("promtool")).check("test", "rules", *tests, cwd=folder)


def with_threshold(value: float) -> Callable[[Alert], Alert]:
    return lambda alert: msgspec.structs.replace(alert, threshold=value)


def with_words(old: str, new: str) -> Callable[[Alert], Alert]:
    def change(alert: Alert) -> Alert:
        assert old in alert.expr
        return msgspec.structs.replace(alert, expr=alert.expr.replace(old, new))

    return change


def test_every_case_of_the_catalogue_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tried(ALERTS, tmp_path, monkeypatch)

    assert said.count("SUCCESS") == len(ALERTS)


@pytest.mark.parametrize(
    ("name", "change", "case"),
    [
        ("ProbeFailed", with_threshold(0.9), "one failed probe is not an outage"),
        ("ProbeFailed", with_words("<", ">"), "probes fail"),
        ("ProbeFailed", with_words('{tier="1"}', ""), "a part of tier 2 does not page"),
        ("ApiErrorStorm", with_threshold(0.6), "just above the threshold"),
        ("ApiErrorStorm", with_threshold(0.4), "just below the threshold"),
        ("ApiErrorStorm", with_words("> {threshold}", ">= {threshold}"), "at the threshold"),
        ("ApiErrorStorm", with_words(" > 1", " > 0"), "all fail, but hardly anybody asks"),
        ("PostgresDown", with_threshold(0.9), "one failed connection"),
        ("PostgresDown", with_words("<", ">"), "down"),
        ("DirectPage", with_threshold(34), "the service is stuck"),
        ("DirectPage", with_threshold(26), "the service is well"),
        ("DirectPage", with_words("unless on ()", "and on ()"), "the service is down"),
    ],
)
def test_a_changed_rule_fails_its_cases(
    name: str,
    change: Callable[[Alert], Alert],
    case: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = change(by_name(name))

    with pytest.raises(VerdictError, match=re.escape(f"{name}: {case}")):
        tried((changed,), tmp_path, monkeypatch)


def test_a_hold_that_is_gone_fails_the_case_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = msgspec.structs.replace(by_name("DirectPage"), hold=type(ALERTS[0].hold)())

    with pytest.raises(VerdictError, match="DirectPage: not before its hold"):
        tried((hasty,), tmp_path, monkeypatch)


def recorded(known: tuple[Recording, ...], folder: Path, patch: pytest.MonkeyPatch) -> str:
    """Return what promtool says of the cases of recorded series. Raises VerdictError."""
    patch.setattr(promtests, "recordings", lambda _inventory: known)
    files = promtests.recording_files(INVENTORY)
    for name, text in files.items():
        (folder / name).write_text(text)
    tests = sorted(name for name in files if name.endswith(".test.yml"))
    return Judge(find_tool("promtool")).check("test", "rules", *tests, cwd=folder)


def test_every_case_of_the_recorded_series_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = recorded(RECORDINGS, tmp_path, monkeypatch)

    assert said.count("SUCCESS") == len(RECORDINGS)


@pytest.mark.parametrize(
    ("record", "old", "new"),
    [
        ("service_route_code:http_server_requests:rate5m", "[5m]", "[10m]"),
        ("service_route_code:http_server_requests:rate5m", "/health|", ""),
        ("service:http_server_errors:ratio_rate5m", " > 0", ""),
        ("service:http_server_request_duration_seconds:p95", "0.95", "0.9"),
        ("service:cpu_cores:rate5m", '{container!=""}', ""),
        ("service:restarts:increase1h", "[1h]", "[30m]"),
        ("service:probe_success:avg1h", "[1h]", "[2h]"),
    ],
)
def test_a_changed_recording_fails_its_cases(
    record: str, old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = next(recording for recording in RECORDINGS if recording.record == record)
    assert old in known.expr
    changed = msgspec.structs.replace(known, expr=known.expr.replace(old, new))

    with pytest.raises(VerdictError, match=re.escape(f"round({record}")):
        recorded((changed,), tmp_path, monkeypatch)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: str(recording.record))
def test_a_recorded_series_has_cases_with_and_without_a_value(recording: Recording) -> None:
    assert {True, False} == {bool(case.samples) for case in recording.cases}


@pytest.mark.parametrize("alert", ALERTS, ids=label)
def test_an_alert_has_a_case_that_fires(alert: Alert) -> None:
    assert [case.name for case in alert.cases if case.fires] != []


@pytest.mark.parametrize("alert", [a for a in ALERTS if a.name != "Watchdog"], ids=label)
def test_an_alert_has_a_case_that_stays_silent(alert: Alert) -> None:
    assert [case.name for case in alert.cases if not case.fires] != []


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_runbook_with_its_four_parts(name: str) -> None:
    page = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text()

    parts = re.findall(r"^## (\w+)\n(.+)", page, re.MULTILINE)

    assert ["Meaning", "Impact", "Diagnosis", "Mitigation"] == [title for title, _text in parts]


def test_there_is_no_runbook_without_an_alert() -> None:
    assert NAMES == sorted(path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md"))


def test_promtool_accepts_the_committed_configuration_and_rules() -> None:
    promtool = Judge(find_tool("promtool"))
    rules = MONITORING / "prometheus/rules/advanced-alerts.yml"

    promtool.check(
        "check", "config", "--syntax-only", str(MONITORING / "prometheus/prometheus.yml")
    )
    # Its lint calls two expressions of one alert with the same labels a duplicate.
    said = promtool.check("check", "rules", "--lint=none", str(rules))

    assert f"{len([a for a in ALERTS if not a.group.startswith(PREFIX)])} rules found" in said


def test_amtool_accepts_the_committed_routes() -> None:
    said = Judge(find_tool("amtool")).check(
        "check-config", str(MONITORING / "alertmanager/routes.yml")
    )

    assert "3 receivers" in said


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["severity=critical"], "service"),
        (["severity=critical", "alertname=ApiErrorStorm", "service=api"], "service"),
        (["severity=warning"], "service"),
        (["severity=warning", "category=security"], "service"),
        (["alertname=Watchdog", "severity=none"], "watchdog"),
        (["alertname=AlertServiceDown", "severity=critical"], "direct"),
        (["alertname=DirectPage", "severity=critical"], "direct"),
    ],
    ids=str,
)
def test_alertmanager_sends_an_alert_to_one_receiver(labels: list[str], receiver: str) -> None:
    config = MONITORING / "alertmanager/routes.yml"

    said = Judge(find_tool("amtool")).check(
        "config", "routes", "test", f"--config.file={config}", *labels
    )

    assert receiver == said.strip()
