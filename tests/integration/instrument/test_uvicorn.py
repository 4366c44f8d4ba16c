import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from support.servers import answers, free_port, running, wait_until
from support.telemetry import Collector, Scrape

FOLDER = Path(__file__).parent
COUNT = "http_server_request_duration_seconds_count"
ROUTE = '{http_request_method="GET",http_response_status_code="200",http_route="/items/{item}"}'


def uvicorn(port: int, *more: str) -> list[str]:
    argv = [sys.executable, "-m", "uvicorn", "web_probe:app", "--host", "127.0.0.1"]
    return [*argv, "--port", str(port), *more]


def get(url: str, **headers: str) -> float:
    started = time.perf_counter()
    with urlopen(Request(url, headers=headers), timeout=10) as answer:
        answer.read()
    return time.perf_counter() - started


@pytest.mark.parametrize("how", ["arguments", "environment", "code"])
def test_several_processes_on_one_port_are_refused(how: str, tmp_path: Path) -> None:
    port = free_port()
    argv = uvicorn(port, "--workers", "2") if how == "arguments" else uvicorn(port)
    if how == "code":
        argv = [sys.executable, "web_probe.py", str(port), "2"]
    env = {"WEB_CONCURRENCY": "2"} if how == "environment" else {}
    log = tmp_path / "uvicorn.log"
    with running(
        argv,
        port=port,
        log=log,
        ready=lambda: "PROMETHEUS_MULTIPROC_DIR" in log.read_text(),
        cwd=FOLDER,
        env=env,
    ):
        assert "uvicorn runs 2 processes behind one port" in log.read_text()
        assert not answers(f"http://127.0.0.1:{port}/health")


def test_several_processes_with_a_folder_add_up(tmp_path: Path) -> None:
    port = free_port()
    folder = tmp_path / "metrics"
    folder.mkdir()
    with running(
        uvicorn(port, "--workers", "2"),
        port=port,
        log=tmp_path / "uvicorn.log",
        ready=lambda: answers(f"http://127.0.0.1:{port}/health"),
        cwd=FOLDER,
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder)},
    ):
        wait_until(lambda: len({p.name for p in folder.glob("*.db")}) >= 2, what="two workers")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(get, [f"http://127.0.0.1:{port}/items/{n}" for n in range(40)]))
        assert 40 == Scrape(port).samples(COUNT)[ROUTE]


def test_spans_arrive_at_the_collector_and_a_failure_arrives_late(
    collector: Collector, tmp_path: Path
) -> None:
    port = free_port()
    with running(
        uvicorn(port),
        port=port,
        log=tmp_path / "uvicorn.log",
        ready=lambda: answers(f"http://127.0.0.1:{port}/health"),
        cwd=FOLDER,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "PROBE_RATIO": "0"},
    ):
        get(f"http://127.0.0.1:{port}/items/1")
        caller = "0af7651916cd43dd8448eb211c80319c"
        get(f"http://127.0.0.1:{port}/items/2", traceparent=f"00-{caller}-b7ad6b7169203331-01")
        assert not answers(f"http://127.0.0.1:{port}/broken")
        wait_until(lambda: len(collector.spans) >= 2, what="two spans")
    names = sorted(span.name for span in collector.spans)
    assert ["GET /broken", "GET /items/{item}"] == names
    (sampled,) = collector.named("GET /items/{item}")
    assert caller == sampled.trace_id.hex()


def test_requests_do_not_wait_for_a_collector_that_is_not_there(tmp_path: Path) -> None:
    port = free_port()
    with running(
        uvicorn(port),
        port=port,
        log=tmp_path / "uvicorn.log",
        ready=lambda: answers(f"http://127.0.0.1:{port}/health"),
        cwd=FOLDER,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PROBE_RATIO": "1"},
    ) as server:
        slowest = max(get(f"http://127.0.0.1:{port}/items/{n}") for n in range(50))
        assert slowest < 1.0
        failed = "abops_instrument_spans_total"
        wait_until(
            lambda: Scrape(port).samples(failed).get('{result="failed"}', 0) >= 50,
            what="the failed spans in the count",
        )
        stopping = time.monotonic()
        server.stop()
        assert time.monotonic() - stopping < 6
    assert 2 >= (tmp_path / "uvicorn.log").read_text().count("spans batch")


def test_a_blocked_loop_shows_in_its_lag(tmp_path: Path) -> None:
    port = free_port()
    with running(
        uvicorn(port),
        port=port,
        log=tmp_path / "uvicorn.log",
        ready=lambda: answers(f"http://127.0.0.1:{port}/health"),
        cwd=FOLDER,
    ):
        get(f"http://127.0.0.1:{port}/block")
        wait_until(
            lambda: Scrape(port).samples("event_loop_lag_seconds")[""] > 0.6,
            what="the lag on the page",
            timeout_s=5,
        )


def test_the_library_starts_without_celery_aiogram_or_a_web_framework() -> None:
    code = (
        "import sys, abops_instrument\n"
        "loaded = {'celery', 'aiogram', 'fastapi', 'starlette', 'sqlalchemy', 'requests'}\n"
        "print(sorted(loaded & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "[]" == done.stdout.strip()
