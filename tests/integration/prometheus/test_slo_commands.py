"""The commands about objectives, asked of a real Prometheus."""

import json
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from abops.entry.cli.observability.slo import group
from abops.kernel.errors import UsageError
from support.objectives import (
    EXHAUSTED,
    NOT_YET,
    OBJECTIVES,
    PAGING,
    ROOT,
    objectives_in_prometheus,
)
from support.servers import Server, free_port

INVENTORY = ["--inventory", str(ROOT / "platform.yaml")]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    now = time.time() // 60 * 60  # noqa: TID251 - Prometheus reads the machine's clock
    with objectives_in_prometheus(tmp_path_factory.mktemp("slo"), now) as server:
        yield server


def said(*arguments: str, url: str) -> str:
    done = CliRunner().invoke(
        group, [*arguments, *INVENTORY, "--prometheus", url], catch_exceptions=False
    )
    assert 0 == done.exit_code
    return done.stdout


def test_status_lists_every_objective_the_worst_first(prometheus: Server) -> None:
    rows = json.loads(said("status", "--output", "json", url=prometheus.url))
    assert len(OBJECTIVES) == len(rows)
    assert (PAGING, "burning") == (rows[0]["objective"], rows[0]["state"])
    assert (EXHAUSTED, "exhausted (freeze)", 0) == (
        rows[1]["objective"],
        rows[1]["state"],
        rows[1]["spent_in_s"],
    )
    assert 0.995 == pytest.approx(rows[0]["promised"])
    assert 23 == pytest.approx(rows[0]["burn_1h"], rel=0.1)
    nothing = next(row for row in rows if row["objective"] == NOT_YET)
    assert ("no data", None, None) == (nothing["state"], nothing["kept"], nothing["burn_1h"])


def test_status_to_a_pipe_is_tabs(prometheus: Server) -> None:
    lines = said("status", url=prometheus.url).splitlines()
    assert "objective\tservice\tenv\tpromised\tkept\tleft\tburn_1h\tburn_6h\tstate" == lines[0]
    assert lines[2].startswith(f"{EXHAUSTED}\tapi\tlocal\t95.000 %\t94.100 %\t-18.0 %\t")


def test_explain_says_how_an_objective_stands_now(prometheus: Server) -> None:
    text = said("explain", PAGING, url=prometheus.url)
    assert f"{PAGING}: 99.5 % of updates good, over 30 days" in text
    assert "Now in local: burning" in text
    assert "41.0 % of the budget left, burn 23" in text
    assert "321 bad updates so far" in text


def test_explain_of_a_spent_budget_says_that_deployments_wait(prometheus: Server) -> None:
    assert "deployments that are no mends wait" in said("explain", EXHAUSTED, url=prometheus.url)


def test_explain_without_prometheus_still_explains() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    text = said("explain", PAGING, url=url)
    assert f"Now: unknown: {url} does not answer. See whether it runs" in text
    assert "100 %      4m 19s        21m 36s         3h 36m" in text


def test_an_unknown_objective_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="there is no objective 'api-latncy'") as caught:
        CliRunner().invoke(group, ["explain", "api-latncy", *INVENTORY], catch_exceptions=False)
    assert "Did you mean 'api-latency'?" == caught.value.hint
