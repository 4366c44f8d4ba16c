"""What a runbook says when several alerts share it."""

from pathlib import Path

from abops.inventory.load import load_inventory
from abops.observability.runbooks import runbooks

PAGES = runbooks(load_inventory(Path(__file__).parents[3] / "platform.yaml"))


def line(page: str, start: str) -> str:
    return next(line for line in PAGES[page].splitlines() if line.startswith(start))


def test_a_page_for_two_severities_names_both_with_their_thresholds() -> None:
    assert "Severity: warning, critical." == line("PostgresConnections.md", "Severity")
    assert line("PostgresConnections.md", "Threshold").startswith(
        "Threshold: 0.8 ratio (warning), 0.95 ratio (critical). "
    )


def test_one_threshold_stands_alone() -> None:
    assert line("RedisMemoryHigh.md", "Threshold").startswith("Threshold: 0.85 ratio. ")


def test_alerts_that_exist_once_a_job_share_their_threshold() -> None:
    assert "Severity: critical." == line("TargetVanished.md", "Severity")
    assert line("TargetVanished.md", "Threshold").startswith("Threshold: 0.5 ratio. ")


def test_large_numbers_are_written_in_groups() -> None:
    assert line("PostgresXidAge.md", "Threshold").startswith(
        "Threshold: 500,000,000 transaction ids (warning), 1,200,000,000 transaction ids"
    )


def test_an_alert_without_a_threshold_names_none() -> None:
    assert "Threshold" not in PAGES["Watchdog.md"]
