"""Contracts recorded from a real Prometheus, which scrapes itself."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from abops.clients.exposition import ScrapeFailedError
from abops.clients.prometheus import Prometheus
from abops.entry.cli.observability.contract import ContractDiffersError, group
from abops.kernel.errors import UsageError
from abops.observability.contract import read_contract
from abops.stack.tools import find_tool
from abops.workflows.contracts import NoVersionError, UnknownJobError
from support.servers import Server, answers, free_port, running, wait_until

CONFIG = """\
scrape_configs:
  - job_name: prometheus
    scrape_interval: 1s
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{env: test}}}}]
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, port = tmp_path_factory.mktemp("contract"), free_port()
    (folder / "prometheus.yml").write_text(CONFIG.format(port=port))
    command = [
        str(find_tool("prometheus")),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(
        command,
        port=port,
        log=folder / "prometheus.log",
        ready=lambda: answers(f"{url}/-/ready"),
    ) as server:
        with closing(Prometheus(url)) as seen:
            wait_until(lambda: bool(seen.query("up == 1")), what="Prometheus scraped itself")
        yield server


def asked(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(group, [*arguments, "--inventory", str(root / "platform.yaml")])


def recorded(root: Path) -> Path:
    (file,) = (root / "tests" / "rules" / "contracts").glob("*.txt")
    return file


def test_a_job_is_recorded_with_its_version_and_the_labels_of_its_targets(
    prometheus: Server, tmp_path: Path
) -> None:
    result = asked(tmp_path, "record", "prometheus", "--prometheus", prometheus.url)

    file = recorded(tmp_path)
    contract = read_contract(file.name, file.read_text())
    assert 0 == result.exit_code, result.output
    assert ("prometheus", {"env", "instance", "job"}) == (contract.job, contract.target_labels)
    assert "counter" == contract.metrics["prometheus_tsdb_head_samples_appended_total"].kind
    assert {"le", "handler"} == contract.metrics[
        "prometheus_http_request_duration_seconds_bucket"
    ].labels
    assert "up" in contract.metrics


def test_an_address_is_recorded_like_a_job(prometheus: Server, tmp_path: Path) -> None:
    url = f"{prometheus.url}/metrics"

    result = asked(tmp_path, "record", "prometheus", "--url", url, "--version", "9.9")

    assert 0 == result.exit_code, result.output
    assert "prometheus@9.9.txt" == recorded(tmp_path).name


def test_what_is_as_recorded_is_no_difference(prometheus: Server, tmp_path: Path) -> None:
    asked(tmp_path, "record", "prometheus", "--prometheus", prometheus.url)

    result = asked(tmp_path, "diff", "prometheus", "--prometheus", prometheus.url)

    assert (0, True) == (result.exit_code, "series names as in prometheus@" in result.output)


def test_a_name_that_is_gone_is_a_difference(prometheus: Server, tmp_path: Path) -> None:
    asked(tmp_path, "record", "prometheus", "--prometheus", prometheus.url)
    file = recorded(tmp_path)
    file.write_text(file.read_text() + "gone_total counter\n")

    result = asked(tmp_path, "diff", "prometheus", "--prometheus", prometheus.url)

    assert isinstance(result.exception, ContractDiffersError)
    assert "gone_total\tgone" in result.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("record", "nobody", "--prometheus", "{url}"), UnknownJobError),
        (("record", "node", "--url", "{url}/metrics"), NoVersionError),
        (("record", "node"), UsageError),
        (("record", "node", "--url", "{url}/nothing", "--version", "1"), ScrapeFailedError),
        (("diff", "prometheus", "--prometheus", "{url}"), UsageError),
    ],
)
def test_what_cannot_be_asked_is_said(
    prometheus: Server, tmp_path: Path, arguments: tuple[str, ...], error: type[Exception]
) -> None:
    result = asked(tmp_path, *(one.format(url=prometheus.url) for one in arguments))

    assert isinstance(result.exception, error)
