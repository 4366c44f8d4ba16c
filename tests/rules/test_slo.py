"""Objectives from raw counters to alerts, judged by promtool: what is recorded, and when it pages.

The catalogue's cases begin at the recorded series; here histories of counters go through the whole
of slo.yml's groups.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from abops.clients.promtool import Judge, VerdictError
from abops.inventory.load import load_inventory
from abops.inventory.model import Objective
from abops.kernel.quantities import format_duration
from abops.observability.rules import slo_rules
from abops.observability.slo.budget import FAST, SLOW, time_to_fire
from abops.observability.slo.groups import objective_recordings
from abops.stack.tools import find_tool

ROOT = Path(__file__).parents[2]
INVENTORY = load_inventory(ROOT / "platform.yaml")
SLOS = {objective.name: objective for objective in INVENTORY.slos}
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
UP = {'up{job="x",env="local"}': "1x100000"}
OK = (
    'http_server_request_duration_seconds_count{service="api",env="local",http_route="/a",'
    'http_response_status_code="200"}'
)
BAD = OK.replace('"200"', '"503"')
HEALTH = OK.replace('"/a"', '"/health"')


class History:
    """Made-up history of series, and what must be true of it; run with `judged`."""

    def __init__(self, name: str, series: Mapping[str, str], step: timedelta) -> None:
        self.every = step
        self.test: dict[str, Any] = {
            "name": name,
            "interval": format_duration(step),
            "input_series": [{"series": s, "values": v} for s, v in {**UP, **series}.items()],
            "promql_expr_test": [],
        }

    def says(self, at: timedelta, expr: str, *values: float) -> "History":
        """Expect the values of an expression, which keeps no labels, to three figures."""
        self.test["promql_expr_test"].append(
            {
                "expr": f"sum without (service, slo, env) (round(({expr}) * 1e6) / 1e6)",
                "eval_time": format_duration(at),
                "exp_samples": [{"labels": "{}", "value": value} for value in values],
            }
        )
        return self

    def fires(self, at: timedelta, alert: str, slo: str, *, count: int = 1) -> "History":
        """Expect that `alert` fires at that moment (or not: count=0)."""
        found = f'ALERTS{{alertname="{alert}",slo="{slo}",alertstate="firing"}}'
        self.test["promql_expr_test"].append(
            {
                "expr": f"count({found})",
                "eval_time": format_duration(at),
                "exp_samples": [{"labels": "{}", "value": count}] if count else [],
            }
        )
        return self


def judged(
    folder: Path, slos: Sequence[str], history: History, every: timedelta = timedelta(seconds=30)
) -> None:
    """Let promtool evaluate the groups of some objectives over the history."""
    groups = yaml.safe_load(slo_rules(INVENTORY))["groups"]
    kept = [g for g in groups if g["name"] in {f"slo-{slo}" for slo in slos}]
    for group in kept:
        group["interval"] = format_duration(every)
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": kept}))
    tests = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": format_duration(every),
        "tests": [history.test],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(tests, width=1000))
    Judge(find_tool("promtool")).check("test", "rules", "test.yml", cwd=folder)


def counter(*phases: tuple[timedelta, float], step: timedelta) -> str:
    """Return a counter that grows by `rate` a second through each phase."""
    value, parts = 0.0, []
    for length, rate in phases:
        grows, count = rate * step.total_seconds(), round(length / step)
        parts.append(f"{value:g}+{grows:g}x{count - 1}")
        value += grows * count
    return " ".join(parts)


STEP = 5 * SECOND
BEFORE = 6 * HOUR + 10 * MINUTE
"""Calm before an outage: as long as the longest window of a page, and a little."""


def outage(begins: timedelta, good: float, bad: float) -> dict[str, str]:
    """Return 10 good requests a second, then `good` and `bad` ones for three minutes."""
    lasts = 3 * MINUTE
    return {
        OK: counter((begins, 10), (lasts, good), step=STEP),
        BAD: counter((begins, 0), (lasts, bad), step=STEP),
    }


def pages_after(folder: Path, seconds: int, good: float, bad: float, *, pages: bool) -> None:
    """Expect a page, or none, that many seconds after an outage began.

    Rules are evaluated every minute to save time: the outage begins so that one evaluation is due
    at the second in question.
    """
    begins = BEFORE - seconds * SECOND % MINUTE
    at = begins + seconds * SECOND
    history = History("outage", outage(begins, good, bad), STEP)
    history.fires(at, "SLOErrorBudgetBurnFast", "api-availability", count=int(pages))
    judged(folder, ["api-availability"], history, every=MINUTE)


@pytest.mark.parametrize(("seconds", "pages"), [(50, False), (55, True)])
def test_a_full_outage_pages_at_the_computed_second_and_not_a_step_before(
    tmp_path: Path, seconds: int, *, pages: bool
) -> None:
    """99.9 %: 14.4 times the budget of an hour is gone after 51.84 s of a full outage."""
    due = time_to_fire(FAST, SLOS["api-availability"], 1.0)
    assert 51.84 == pytest.approx(due.total_seconds() if due else 0)
    pages_after(tmp_path, seconds, 0, 10, pages=pages)


@pytest.mark.parametrize(("seconds", "pages"), [(100, False), (105, True)])
def test_half_an_outage_takes_twice_as_long(tmp_path: Path, seconds: int, *, pages: bool) -> None:
    due = time_to_fire(FAST, SLOS["api-availability"], 0.5)
    assert 103.68 == pytest.approx(due.total_seconds() if due else 0)
    pages_after(tmp_path, seconds, 5, 5, pages=pages)


def test_a_page_ends_five_minutes_after_the_outage(tmp_path: Path) -> None:
    after = {
        OK: counter((BEFORE, 10), (2 * MINUTE, 0), (12 * MINUTE, 10), step=15 * SECOND),
        BAD: counter((BEFORE, 0), (2 * MINUTE, 10), (12 * MINUTE, 0), step=15 * SECOND),
    }
    name, end = "SLOErrorBudgetBurnFast", BEFORE + 2 * MINUTE
    history = History("ended", after, 15 * SECOND)
    history.fires(end + 4 * MINUTE, name, "api-availability")
    history.fires(end + 6 * MINUTE, name, "api-availability", count=0)
    judged(tmp_path, ["api-availability"], history, every=MINUTE)


def test_nine_failed_requests_in_a_quiet_night_wake_nobody_and_ten_do(tmp_path: Path) -> None:
    """One request a minute, all failing: the ratio pages at once, the floor waits for ten."""
    step = MINUTE
    quiet = {
        OK: counter((BEFORE, 1 / 60), (30 * MINUTE, 0), step=step),
        BAD: counter((BEFORE, 0), (30 * MINUTE, 1 / 60), step=step),
    }
    name = "SLOErrorBudgetBurnFast"
    history = History("quiet", quiet, step)
    bad = 'slo:bad_events:increase1h{slo="api-availability"}'
    history.fires(BEFORE + 8 * MINUTE, name, "api-availability", count=0)
    history.says(BEFORE + 8 * MINUTE, f"{bad} < bool 10", 1)
    history.fires(BEFORE + 11 * MINUTE, name, "api-availability")
    judged(tmp_path, ["api-availability"], history)


def test_no_data_is_no_burn(tmp_path: Path) -> None:
    """What failed and then vanished is over as soon as the shorter windows are empty."""
    gone = {OK: "0+50x40 stale", BAD: "0+50x40 stale"}
    history = History("gone", gone, 15 * SECOND)
    history.fires(10 * MINUTE, "SLOErrorBudgetBurnFast", "api-availability")
    history.fires(45 * MINUTE, "SLOErrorBudgetBurnFast", "api-availability", count=0)
    history.fires(150 * MINUTE, "SLOErrorBudgetBurnFast", "api-availability", count=0)
    history.says(45 * MINUTE, 'slo:sli_error:ratio_rate5m{slo="api-availability"}')
    history.fires(45 * MINUTE, "SLONoData", "api-availability")
    judged(tmp_path, ["api-availability"], history, every=MINUTE)


def test_no_traffic_is_no_ratio_and_no_missing_data(tmp_path: Path) -> None:
    still = {OK: "7x1000"}
    history = History("still", still, STEP)
    history.says(70 * MINUTE, 'slo:sli_error:ratio_rate5m{slo="api-availability"}')
    history.says(70 * MINUTE, 'slo:total:rate5m{slo="api-availability"}', 0)
    history.fires(70 * MINUTE, "SLONoData", "api-availability", count=0)
    judged(tmp_path, ["api-availability"], history)


def test_no_errors_are_a_ratio_of_zero_in_every_window(tmp_path: Path) -> None:
    """A service that has never failed has no series of failures at all."""
    history = History("good", {OK: counter((2 * HOUR, 10), step=MINUTE)}, MINUTE)
    for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d"):
        ratio = f'slo:sli_error:ratio_rate{window}{{slo="api-availability"}}'
        history.says(110 * MINUTE, ratio, 0)
    judged(tmp_path, ["api-availability"], history, every=MINUTE)


def test_a_slow_burn_opens_a_ticket_at_the_computed_time_and_never_pages(tmp_path: Path) -> None:
    """Half a per cent of errors burns a budget of 0.1 % five times too fast."""
    slo, ratio, every = SLOS["api-availability"], 0.005, 10 * MINUTE
    assert time_to_fire(FAST, slo, ratio) is None
    due = time_to_fire(SLOW, slo, ratio)
    assert 14.4 == pytest.approx(due / HOUR if due else 0)
    calm, long = 80 * HOUR, 30 * HOUR
    series = {
        OK: counter((calm, 10), (long, 10 * (1 - ratio)), step=MINUTE),
        BAD: counter((calm, 0), (long, 10 * ratio), step=MINUTE),
    }
    history = History("slow", series, MINUTE)
    ticket, page = "SLOErrorBudgetBurnSlow", "SLOErrorBudgetBurnFast"
    history.fires(calm + 14.1 * HOUR, ticket, slo.name, count=0)
    history.fires(calm + 14.7 * HOUR, ticket, slo.name)
    history.fires(calm + 29 * HOUR, page, slo.name, count=0)
    judged(tmp_path, [slo.name], history, every=every)


@pytest.mark.parametrize("window", ["5m", "1h", "1d"])
def test_health_checks_count_in_no_window(tmp_path: Path, window: str) -> None:
    """Health checks succeed while everything else fails."""
    series = {
        HEALTH: counter((2 * HOUR, 100), step=MINUTE),
        OK: counter((2 * HOUR, 9), step=MINUTE),
        BAD: counter((2 * HOUR, 1), step=MINUTE),
    }
    history = History("health", series, MINUTE)
    ratio = f'slo:sli_error:ratio_rate{window}{{slo="api-availability"}}'
    history.says(110 * MINUTE, ratio, 0.1)
    judged(tmp_path, ["api-availability"], history, every=MINUTE)


@pytest.mark.parametrize("le", ["60", "60.0"])
def test_the_bucket_is_found_in_both_notations(tmp_path: Path, le: str) -> None:
    wait = 'celery_task_queue_wait_seconds_{}{{service="worker",env="local",queue="default"{}}}'
    series = {
        wait.format("count", ""): "0+10x200",
        wait.format("bucket", f',le="{le}"'): "0+8x200",
        wait.format("bucket", ',le="300.0"'): "0+10x200",
    }
    history = History("le", series, 15 * SECOND)
    history.says(40 * MINUTE, 'slo:sli_error:ratio_rate5m{slo="queue-wait"}', 0.2)
    history.says(40 * MINUTE, 'slo:sli_error:ratio_rate30m{slo="queue-wait"}', 0.2)
    judged(tmp_path, ["queue-wait"], history)


def test_a_failed_post_is_as_bad_as_a_late_one(tmp_path: Path) -> None:
    """Of ten posts seven are on time, two are late, and one failed."""
    worker = 'service="worker",env="local"'
    series = {
        f"analyticbot_post_delay_seconds_count{{{worker}}}": "0+9x200",
        f'analyticbot_post_delay_seconds_bucket{{{worker},le="60.0"}}': "0+7x200",
        f'analyticbot_posts_total{{{worker},result="failed"}}': "0+1x200",
        f'analyticbot_posts_total{{{worker},result="sent"}}': "0+9x200",
    }
    history = History("posts", series, 15 * SECOND)
    history.says(40 * MINUTE, 'slo:sli_error:ratio_rate30m{slo="post-punctuality"}', 0.3)
    judged(tmp_path, ["post-punctuality"], history)


def test_a_retry_is_no_end_of_a_task(tmp_path: Path) -> None:
    task = 'celery_task_runtime_seconds_count{{service="worker",env="local",task="t",state="{}"}}'
    series = {
        task.format("success"): "0+3x200",
        task.format("retry"): "0+50x200",
        task.format("lost"): "0+1x200",
    }
    history = History("tasks", series, 15 * SECOND)
    history.says(40 * MINUTE, 'slo:sli_error:ratio_rate30m{slo="task-success"}', 0.25)
    judged(tmp_path, ["task-success"], history)


def test_probes_are_counted_by_what_they_said(tmp_path: Path) -> None:
    series = {'probe_success{service="api",env="local"}': "1 1 1 0 " * 200}
    at, step = 16 * MINUTE, 7 * SECOND
    last = at // step
    failed = [n for n in range(last + 1) if n % 4 == 3]
    first = -(-(at - 5 * MINUTE) // step)
    ratio = len([n for n in failed if n >= first]) / (last - first + 1)
    history = History("probes", series, step)
    history.says(at, 'slo:sli_error:ratio_rate5m{slo="api-probe"}', round(ratio, 6))
    history.says(at, 'slo:total:rate5m{slo="api-probe"}', round((last - first + 1) / 300, 6))
    history.says(at, 'slo:bad_events:increase1h{slo="api-probe"}', len(failed))
    judged(tmp_path, ["api-probe"], history)


def test_environments_do_not_mix(tmp_path: Path) -> None:
    staging = BAD.replace('"local"', '"staging"')
    series = {
        'up{job="x",env="staging"}': "1x200",
        OK: "0+10x200",
        staging: "0+10x200",
        OK.replace('"local"', '"staging"'): "0+10x200",
    }
    history = History("envs", series, 15 * SECOND)
    ratio = 'slo:sli_error:ratio_rate5m{{slo="api-availability",env="{}"}}'
    history.says(40 * MINUTE, ratio.format("staging"), 0.5)
    history.says(40 * MINUTE, ratio.format("local"), 0)
    judged(tmp_path, ["api-availability"], history)


def test_the_budget_of_a_window_is_weighted_with_traffic(tmp_path: Path) -> None:
    """Ten hours of 20 good requests a second, then an hour at night in which 1 a second fails.

    By time that would be 9 % of bad; by what people met it is half a per cent.
    """
    after = 12 * MINUTE
    series = {
        OK: counter((10 * HOUR, 20), (HOUR + after, 0), step=MINUTE),
        BAD: counter((10 * HOUR, 0), (HOUR, 1), (after, 0), step=MINUTE),
    }
    groups = yaml.safe_load(slo_rules(INVENTORY))["groups"]
    names = {"slo-api-availability", "slo-period-api-availability"}
    kept = [group for group in groups if group["name"] in names]
    expected = 3600 / (20 * 36000 + 3600)
    history = History("weighted", series, MINUTE)
    left = 'slo:period_error_budget_remaining:ratio{slo="api-availability"}'
    history.says(11 * HOUR + 8 * MINUTE, f"abs({left} - (1 - {expected} / 0.001)) < bool 0.05", 1)
    history.says(11 * HOUR + 8 * MINUTE, 'slo:deploy_freeze:bool{slo="api-availability"}', 1)
    history.says(9 * HOUR, left, 1)
    history.says(9 * HOUR, 'slo:deploy_freeze:bool{slo="api-availability"}', 0)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": kept}))
    tests = {
        "rule_files": ["rules.yml"],
        "group_eval_order": ["slo-api-availability", "slo-period-api-availability"],
        "evaluation_interval": "30s",
        "tests": [history.test],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests, width=1000))
    Judge(find_tool("promtool")).check("test", "rules", "test.yml", cwd=tmp_path)


def test_the_judge_refuses_a_page_that_does_not_come(tmp_path: Path) -> None:
    with pytest.raises(VerdictError, match="ALERTS"):
        pages_after(tmp_path, 50, 0, 10, pages=True)


@pytest.mark.parametrize("objective", INVENTORY.slos, ids=lambda o: o.name)
def test_every_series_of_an_objective_is_recorded_before_it_is_read(objective: Objective) -> None:
    known: set[str] = set()
    for one in objective_recordings(objective, INVENTORY):
        read = {name for name in ALL if f"{name}{{" in one.expr}
        assert read <= known, one.record
        known.add(one.record)


ALL = {one.record for slo in INVENTORY.slos for one in objective_recordings(slo, INVENTORY)}
