"""Every kind of mistake in `slos:`, with the exact words that its author reads."""

import subprocess
import sys
from pathlib import Path

import pytest

from abops.alerts.service.metrics import LATENCY_BUCKETS
from abops.inventory import indicators
from abops.inventory.load import InventoryError, load_inventory
from abops.inventory.objectives import page_factor
from abops_instrument import series

ROOT = Path(__file__).parents[3]
TALLY = ROOT / "workload" / "infra" / "celery" / "tally.py"
GOOD = """\
version: 1
name: shop
environments:
  local: {region: here, namespace: shop}
services:
  - name: api
    kind: fastapi
    tier: 1
    team: dev
    port: 8000
    metrics: {interval: 5s}
    probe: {path: /health}
  - {name: worker, kind: celery, tier: 1, team: dev, port: 1, metrics: {interval: 5s}}
  - {name: odd, kind: odd, tier: 1, team: dev, port: 2, metrics: {interval: 5s}}
alerts:
  public_url: https://ops.example.org
  channels:
    pager: {type: pagerduty, routing_key_file: secrets/pd}
  teams:
    dev: {page: pager, chat: pager}
  routes:
    - {match: 'severity="critical"', send: [page]}
slos:
"""
SOUND = "  - {name: api-latency, service: api, objective: 95, sli: latency, threshold: 500ms}\n"


def loaded(folder: Path, slos: str) -> list[str]:
    """Return the message's lines, without the folder; none when the file is sound."""
    path = folder / "platform.yaml"
    path.write_text(GOOD + slos)
    try:
        load_inventory(path)
    except InventoryError as error:
        return [line.strip() for line in str(error).replace(f"{folder}/", "").splitlines()][1:]
    return []


@pytest.mark.parametrize(
    "slos",
    [
        SOUND,
        SOUND.replace("95", "99.95").replace("threshold", "window: 28d, threshold"),
        "  - {name: a, service: api, objective: 99.9, sli: availability}\n",
        "  - {name: a, service: api, objective: 99.9, sli: probe}\n",
        "  - {name: a, service: worker, objective: 99, sli: freshness, threshold: 1m}\n",
        (
            "  - {name: a, service: worker, objective: 99, sli: latency, threshold: 15s,"
            " min_bad_events: {page: 2}}\n"
        ),
    ],
)
def test_a_sound_objective_is_accepted(tmp_path: Path, slos: str) -> None:
    assert [] == loaded(tmp_path, slos)


@pytest.mark.parametrize(
    ("slos", "expected"),
    [
        pytest.param(
            SOUND.replace("service: api", "service: appi"),
            [
                "platform.yaml:24: objective 'api-latency' is about 'appi', which does not exist",
                "hint: Did you mean 'api'?",
            ],
            id="unknown service",
        ),
        pytest.param(
            SOUND + SOUND,
            [
                "platform.yaml:25: 'api-latency' is already the name of an objective",
                "hint: Alerts, series and pages go by it: give each objective a name of its own.",
            ],
            id="duplicate name",
        ),
        pytest.param(
            SOUND.replace("500ms", "400ms"),
            [
                "platform.yaml:24: the histogram of requests has no bucket that ends at 400ms",
                (
                    "hint: Write one of 5ms, 10ms, 25ms, 50ms, 75ms, 100ms, 250ms, 500ms, 750ms,"
                    " 1s, 2s500ms, 5s, 7s500ms, 10s."
                ),
            ],
            id="threshold between edges",
        ),
        pytest.param(
            SOUND.replace(", threshold: 500ms", ""),
            [
                "platform.yaml:24: 'api-latency' has no threshold",
                (
                    "hint: Add it: 5ms, 10ms, 25ms, 50ms, 75ms, 100ms, 250ms, 500ms, 750ms,"
                    " 1s, 2s500ms, 5s, 7s500ms, 10s."
                ),
            ],
            id="no threshold",
        ),
        pytest.param(
            SOUND.replace("sli: latency", "sli: availability"),
            [
                "platform.yaml:24: 'api-latency' has a threshold, which availability does not know",
                "hint: Remove it, or choose sli: latency.",
            ],
            id="threshold without time",
        ),
        pytest.param(
            SOUND.replace("95", "100"),
            [
                "platform.yaml:24: slos.0.objective: input should be less than 100, got 100",
                "hint: abops inventory schema shows what is allowed.",
            ],
            id="objective of 100",
        ),
        pytest.param(
            SOUND.replace("95", "0"),
            [
                "platform.yaml:24: slos.0.objective: input should be greater than 0, got 0",
                "hint: abops inventory schema shows what is allowed.",
            ],
            id="objective of 0",
        ),
        pytest.param(
            SOUND.replace("95", "93"),
            [
                (
                    "platform.yaml:24: 'api-latency' promises 93 %: even if every event were bad,"
                    " nobody would be paged"
                ),
                "hint: Promise more than 93.1 %.",
            ],
            id="objective that never pages",
        ),
        pytest.param(
            SOUND.replace("threshold", "window: 30, threshold"),
            [
                (
                    "platform.yaml:24: slos.0.window: '30' is not a duration;"
                    " write a number and a unit: 30s, 15m, 4h"
                ),
                "hint: Correct the value.",
            ],
            id="window without unit",
        ),
        pytest.param(
            SOUND.replace("threshold", "window: 36h, threshold"),
            [
                "platform.yaml:24: 'api-latency' has a window of 1d12h",
                "hint: Write 28d or 30d.",
            ],
            id="window of another length",
        ),
        pytest.param(
            SOUND.replace("sli: latency", "sli: freshness"),
            [
                "platform.yaml:24: 'freshness' means nothing for 'api', which is of kind 'fastapi'",
                "hint: Known for this kind: availability, latency.",
            ],
            id="sli of another kind",
        ),
        pytest.param(
            "  - {name: a, service: odd, objective: 99, sli: availability}\n",
            [
                "platform.yaml:24: 'availability' means nothing for 'odd', which is of kind 'odd'",
                "hint: Only a probe is known.",
            ],
            id="kind without indicators",
        ),
        pytest.param(
            "  - {name: a, service: worker, objective: 99, sli: probe}\n",
            [
                "platform.yaml:24: 'worker' has no probe for 'a'",
                "hint: Give the part a probe, or choose another sli.",
            ],
            id="probe without a probe",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, slos: str, expected: list[str]) -> None:
    assert expected == loaded(tmp_path, slos)


def test_the_edges_are_those_of_the_histograms() -> None:
    assert indicators.REQUEST_EDGES == series.REQUEST_BUCKETS
    assert indicators.WAIT_EDGES == series.WAIT_BUCKETS
    assert indicators.NOTIFICATION_EDGES == LATENCY_BUCKETS


def test_the_edges_of_posts_are_those_of_the_workload() -> None:
    """The workload has an environment of its own: its source is read, not imported."""
    written = ", ".join(f"{edge:g}" for edge in indicators.POST_DELAY_EDGES)
    assert f"({written})," in TALLY.read_text()


def test_the_factor_of_a_page_is_two_per_cent_of_the_budget_an_hour(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_text(GOOD + SOUND + SOUND.replace("api-l", "l").replace("thr", "window: 28d, thr"))
    usual, four_weeks = load_inventory(path).slos
    assert (14.4, 13.44) == (page_factor(usual.window), page_factor(four_weeks.window))
    assert 0.05 == usual.budget


def test_checking_the_inventory_loads_no_context() -> None:
    """The edges stand in the inventory so that checking it needs nothing above it."""
    code = (
        "import sys; from abops.inventory.load import load_inventory;"
        "print([m for m in sys.modules if m.startswith(('abops.alerts', 'abops_instrument'))])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "[]" == said.strip()
