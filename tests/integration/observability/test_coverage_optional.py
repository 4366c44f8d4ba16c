"""Which optional parts the live audit counts: those that a real Prometheus knows of."""

import time
from pathlib import Path

import pytest

from abops.inventory.load import load_inventory
from abops.kernel.clock import SystemClock
from abops.workflows.coverage import Live, coverage
from support.history import Past, past, start_prometheus, write_past

ROOT = Path(__file__).parents[3]
INVENTORY = load_inventory(ROOT / "platform.yaml")
LOG_PATH = {"opensearch", "rsyslog", "logs-keeper"}


def supervised(*names: str) -> list[Past]:
    return [past("abops_stack_part_up", 0, service=name, env="local") for name in names]


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (supervised("api"), set()),
        (supervised("api", *LOG_PATH), LOG_PATH),
        ([past("abops_log_store_up", 0, env="local", service="node-exporter")], LOG_PATH),
        ([past("up", 1, job="analyticbot-mtproto", service="mtproto", env="local")], {"mtproto"}),
    ],
    ids=["a stack without logs", "a stack with logs", "logs without a supervisor", "scraped"],
)
def test_an_optional_part_is_counted_where_it_is_there(
    tmp_path: Path, series: list[Past], expected: set[str]
) -> None:
    end = time.time() // 15 * 15  # noqa: TID251 - Prometheus reads the machine's clock
    write_past(tmp_path / "data", series, start=end - 600, end=end)
    with start_prometheus(tmp_path / "data") as prometheus:
        found = coverage(INVENTORY, ROOT / "docs" / "runbooks", SystemClock(), Live(prometheus.url))
    optional = {part.name for part in INVENTORY.optional}
    assert expected == {finding.component for finding in found} & optional
    assert "api" in {finding.component for finding in found}
    assert not {f.component for f in found} & {"analyticbot-mtproto"}
