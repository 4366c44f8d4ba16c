"""A real Prometheus that scrapes a page with exemplars: they are never written beforehand."""

import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from abops.stack.tools import find_tool
from support.history import past, write_past
from support.servers import Server, answers, free_port, running, wait_until

SLOW, FAST = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
BOUNDS = (("0.1", 5.0), ("0.5", 11.0), ("1", 12.0), ("+Inf", 12.0))
_PAGE = f"""# TYPE latency_seconds histogram
latency_seconds_bucket{{http_route="/posts",le="0.1"}} 5 # {{trace_id="{FAST}"}} 0.04
latency_seconds_bucket{{http_route="/posts",le="0.5"}} 11
latency_seconds_bucket{{http_route="/reports",le="1"}} 12 # {{trace_id="{SLOW}"}} 0.82
latency_seconds_bucket{{http_route="/posts",le="+Inf"}} 12
latency_seconds_count{{http_route="/posts"}} 12
latency_seconds_sum{{http_route="/posts"}} 4
# EOF
"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0")
        self.end_headers()
        self.wfile.write(_PAGE.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def prometheus_with_exemplars(folder: Path) -> Iterator[Server]:
    """Run a Prometheus with an hour of `latency_seconds` and two exemplars of just now."""
    end = time.time() // 15 * 15  # noqa: TID251 - Prometheus reads the machine's clock
    series = [past("latency_seconds_bucket", n, le=le, env="local") for le, n in BOUNDS]
    write_past(folder / "data", series, start=end - 3600, end=end)
    page = HTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=page.serve_forever, args=(0.05,))
    thread.start()
    job = {
        "job_name": "page",
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "static_configs": [
            {"targets": [f"127.0.0.1:{page.server_port}"], "labels": {"env": "local"}}
        ],
    }
    config = folder / "exemplars.yml"
    config.write_text(json.dumps({"scrape_configs": [job]}))  # JSON is YAML
    port = free_port()
    argv = [find_tool("prometheus"), f"--config.file={config}"]
    argv += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    argv += ["--enable-feature=exemplar-storage"]
    url = f"http://127.0.0.1:{port}/-/ready"
    try:
        with running(
            argv, port=port, log=folder / "exemplars.log", ready=lambda: answers(url)
        ) as server:
            wait_until(lambda: _kept(server.url, end) == {SLOW, FAST}, what="both exemplars")
            yield server
    finally:
        page.shutdown()
        thread.join()
        page.server_close()


def _kept(url: str, end: float) -> set[str]:
    asked = {"query": "latency_seconds_bucket", "start": end - 60, "end": end + 600}
    address = f"{url}/api/v1/query_exemplars?{urllib.parse.urlencode(asked)}"
    with urllib.request.urlopen(address, timeout=5) as answer:
        found = json.load(answer)["data"]
    return {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}
