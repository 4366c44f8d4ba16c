"""What the list of incidents costs: server CPU and size with 5,000 open incidents.

A real alert service on a real store is filled through its ingest; then the pages are requested
in process, without a network, and the CPU time of the whole process is taken: reading, deciding,
rendering and compressing. With --browser, Chromium says when the page can be used.
"""

import argparse
import asyncio
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from abops.alerts.model import Route, Routing, ServiceConfig, Team
from abops.alerts.service import AlertService
from abops.entry.web.app import create_app

GOAL_MS = 100.0
USABLE_MS = 1000.0
PAGES = {
    "list": "/incidents",
    "filtered, page 3": "/incidents?severity=critical&page=3",
    "search": "/search?q=service-7",
    "one incident": "/incidents/7",
}
TEAM = Team(name="dev", page="", chat="")
NOBODY = Routing(  # no channel: only the console is measured
    public_url="http://127.0.0.1:9600",
    channels={},
    teams={"dev": TEAM},
    routes=(Route(match="", matchers=(), send=()),),
)


def webhook(count: int, now: datetime) -> bytes:
    """Return an Alertmanager webhook with one critical alert for each of so many services."""
    alerts = [
        {
            "status": "firing",
            "labels": {
                "alertname": "ApiErrorStorm",
                "service": f"service-{number}",
                "severity": ("critical", "warning", "info")[number % 3],
                "instance": f"10.0.{number // 250}.{number % 250}:8000",
            },
            "annotations": {
                "summary": f"{number % 100} % of the requests to service-{number} fail",
                "impact": "Channel owners see errors instead of their dashboards.",
            },
            "startsAt": (now - timedelta(seconds=number)).isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:9090/graph",
            "fingerprint": f"{number:016x}",
        }
        for number in range(count)
    ]
    return json.dumps(
        {
            "version": "4",
            "status": "firing",
            "receiver": "service",
            "groupKey": "{}",
            "truncatedAlerts": 0,
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://127.0.0.1:9093",
            "alerts": alerts,
        }
    ).encode()


async def filled(service: AlertService, count: int) -> None:
    """Fill the service and wait until every incident is open."""
    await service.ingest(webhook(count, datetime.now(UTC)))  # noqa: TID251 - a benchmark's input
    while len(await service.incidents(limit=count)) < count:  # noqa: ASYNC110 - set-up
        await asyncio.sleep(0.05)


async def measured(app: FastAPI, service: AlertService, args: argparse.Namespace) -> list[Any]:
    """Return one row for each page."""
    await service.start()
    rows = []
    try:
        await filled(service, args.incidents)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:9600"
        ) as client:
            for name, path in PAGES.items():
                rows.append(await one_page(client, name, path, args.rounds))
    finally:
        await service.stop()
    return rows


async def one_page(
    client: httpx2.AsyncClient, name: str, path: str, rounds: int
) -> dict[str, object]:
    """Return CPU and size of one page."""
    for _ in range(3):
        await client.get(path)
    times = []
    for _ in range(rounds):
        started = time.process_time()
        answer = await client.get(path)
        times.append((time.process_time() - started) * 1000)
        answer.raise_for_status()
    return {
        "page": name,
        "cpu_ms_median": round(statistics.median(times), 1),
        "cpu_ms_max": round(max(times), 1),
        "html_kib": round(len(answer.content) / 1024, 1),
        "goal_ms": GOAL_MS,
    }


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve the application on a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def usable_ms(url: str, rounds: int) -> list[float]:
    """Return milliseconds from the request until the page is loaded, live and has its rows."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only with --browser

    from abops.stack.tools import find_tool  # noqa: PLC0415

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_tool("chromium")), args=flags)
        times = []
        for _ in range(rounds):
            context = browser.new_context()  # nothing is in its cache
            page = context.new_page()
            started = time.perf_counter()
            page.goto(f"{url}/incidents")
            page.wait_for_selector("#live[data-state=live]")
            times.append((time.perf_counter() - started) * 1000)
            context.close()
        browser.close()
    return times


def main() -> int:
    """Print a table, or a document with --output json; fail when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--small", action="store_true", help="5 rounds, for CI")
    parser.add_argument("--browser", action="store_true", help="measure in Chromium as well")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    args = parser.parse_args()
    args.rounds = 5 if args.small else args.rounds
    with tempfile.TemporaryDirectory() as folder:
        service = AlertService(ServiceConfig("local", NOBODY, Path(folder)))
        rows = asyncio.run(measured(create_app(service), service, args))
        if args.browser:
            again = AlertService(ServiceConfig("local", NOBODY, Path(folder)))
            with served(create_app(again)) as url:
                times = usable_ms(url, min(args.rounds, 5))
            rows.append(
                {
                    "page": "list, usable in Chromium",
                    "wall_ms_median": round(statistics.median(times), 1),
                    "wall_ms_max": round(max(times), 1),
                    "goal_ms": USABLE_MS,
                }
            )
    if args.output == "json":
        print(json.dumps({"incidents": args.incidents, "pages": rows}, indent=2))
    else:
        print(f"{args.incidents} open incidents")
        for row in rows:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
    missed = any(
        row.get("cpu_ms_median", row.get("wall_ms_median", 0)) > row["goal_ms"] for row in rows
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
