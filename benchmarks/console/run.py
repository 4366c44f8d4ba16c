"""What the pages of the alerts cost behind the login, with 5,000 open incidents.

A real alert service on a real store is filled through its ingest; somebody signs in; then the
pages are requested in process, without a network. The CPU time of the whole process is taken
(knowing who asks, reading, deciding, rendering, compressing), the time until the answer is there,
and the bytes that go over the wire. With --browser, Chromium says when the list can be used and
what it loaded with nothing in its cache.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from abops.alerts.model import (
    Actor,
    Channel,
    Endpoints,
    OnCall,
    Route,
    Routing,
    ServiceConfig,
    ServiceSettings,
    Team,
)
from abops.alerts.service import AlertService
from abops.alerts.service.access import Access
from abops.entry.web.app import create_app
from abops.kernel.clock import SystemClock

OK = 200
GOAL_MS = 100.0
USABLE_MS = 1000.0
PAGES = {
    "list": "/incidents",
    "filtered, page 3": "/incidents?severity=critical&page=3",
    "search": "/search?q=service-7",
    "one incident": "/incidents/7",
    "storms": "/storms",
    "silences": "/silences",
    "who is on call": "/on-call",
    "routing": "/routing?severity=critical&service=service-7",
    "statistics": "/alerts/statistics",
}
NAME, PASSWORD = "ana", "correct horse battery"
FILLED_WITHIN_S = 120
A_BODY = 50
"""Alerts a body: one each minute, so that they are no storm."""
APART = ServiceSettings(gap_s=-1.0, heartbeat_timeout_s=1e9)
"""No gap is small enough to join: each alert is an incident of its own."""
WEIGHT_KIB = 200.0
TEAM = Team(name="dev", page="nobody", chat="nobody", oncall=OnCall(("ana", "bo")))
NOBODY = Routing(  # the one channel never answers: only the console is measured
    public_url="http://127.0.0.1:9600",
    channels={"nobody": Channel("nobody", "pagerduty", secret_file="nobody")},  # noqa: S106 - a name
    teams={"dev": TEAM},
    routes=(Route(match="", matchers=(), send=("chat",)),),
)


class PastClock(SystemClock):
    """The machine's clock, moved: what opens within an hour and a half is no storm."""

    shift = timedelta()

    def now(self) -> datetime:
        """Return the moved moment."""
        return super().now() + self.shift


def a_console(folder: Path, clock: PastClock) -> tuple[FastAPI, AlertService]:
    """Return the application behind its login, and the service within."""
    endpoints = Endpoints(pagerduty_url="http://127.0.0.1:9", secrets_dir=str(folder))
    service = AlertService(ServiceConfig("local", NOBODY, folder, endpoints, APART), clock)
    return create_app(service, clock=clock, access=Access(folder)), service


def invited(folder: Path) -> None:
    """Let somebody in who may respond, and give the channel its secret."""
    (folder / "nobody").write_text("a key of nobody")
    access = Access(folder)
    access.open()
    access.accept(access.invite(NAME, "responder", Actor("benchmark", "cli")), PASSWORD)
    access.close()


def webhook(numbers: Sequence[int], now: datetime) -> bytes:
    """Return an Alertmanager webhook with one alert for each of these services."""
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
            "startsAt": (now - timedelta(seconds=number % A_BODY)).isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:9090/graph",
            "fingerprint": f"{number:016x}",
        }
        for number in numbers
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


async def filled(service: AlertService, clock: PastClock, count: int) -> None:
    """Fill the service, a body a minute, and wait until every incident is open."""
    for start in range(0, count, A_BODY):
        clock.shift = timedelta(minutes=start // A_BODY - count // A_BODY)
        numbers = range(start, min(start + A_BODY, count))
        await service.ingest(webhook(numbers, clock.now()))
    clock.shift = timedelta()
    async with asyncio.timeout(FILLED_WITHIN_S):
        while len(await service.incidents(limit=count)) < count:  # noqa: ASYNC110 - set-up
            await asyncio.sleep(0.2)


async def measured(
    app: FastAPI, service: AlertService, clock: PastClock, args: argparse.Namespace
) -> list[Any]:
    """Return one row for each page."""
    rows = []
    async with app.router.lifespan_context(app):
        await filled(service, clock, args.incidents)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:9600"
        ) as client:
            await client.post("/login", data={"name": NAME, "password": PASSWORD})
            for name, path in PAGES.items():
                rows.append(await one_page(client, name, path, args.rounds))
    return rows


async def one_page(
    client: httpx2.AsyncClient, name: str, path: str, rounds: int
) -> dict[str, object]:
    """Return CPU and size of one page."""
    for _ in range(3):
        await client.get(path)
    cpu, wall = [], []
    for _ in range(rounds):
        begun, started = time.perf_counter(), time.process_time()
        answer = await client.get(path)
        cpu.append((time.process_time() - started) * 1000)
        wall.append((time.perf_counter() - begun) * 1000)
        if answer.status_code != OK:
            raise SystemExit(f"{path}: {answer.status_code}")
    return {
        "page": name,
        "cpu_ms_median": round(statistics.median(cpu), 1),
        "cpu_ms_max": round(max(cpu), 1),
        "wall_ms_median": round(statistics.median(wall), 1),
        "html_kib": round(len(answer.content) / 1024, 1),
        "wire_kib": round(answer.num_bytes_downloaded / 1024, 1),
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


def in_chromium(url: str, rounds: int) -> dict[str, object]:
    """Return how long it takes until the list is loaded, live and has its rows, and its weight."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only with --browser

    from abops.stack.tools import find_tool  # noqa: PLC0415

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_tool("chromium")), args=flags)
        door = browser.new_context()
        page = door.new_page()
        page.goto(f"{url}/login")
        page.get_by_label("Name").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/incidents")
        session = door.storage_state()
        times, weights = [], []
        for _ in range(rounds):
            context = browser.new_context(storage_state=session)  # nothing is in its cache
            page = context.new_page()
            tool = context.new_cdp_session(page)
            tool.send("Network.enable")
            loaded: list[float] = []
            tool.on(
                "Network.loadingFinished", lambda e, to=loaded: to.append(e["encodedDataLength"])
            )
            started = time.perf_counter()
            page.goto(f"{url}/incidents")
            page.wait_for_selector("#live[data-state=live]")
            times.append((time.perf_counter() - started) * 1000)
            weights.append(sum(loaded))
            context.close()
        browser.close()
    return {
        "page": "list, usable in Chromium",
        "wall_ms_median": round(statistics.median(times), 1),
        "wall_ms_max": round(max(times), 1),
        "wire_kib": round(max(weights) / 1024, 1),
        "goal_ms": USABLE_MS,
    }


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
        invited(Path(folder))
        clock = PastClock()
        app, service = a_console(Path(folder), clock)
        rows = asyncio.run(measured(app, service, clock, args))
        if args.browser:
            with served(a_console(Path(folder), clock)[0]) as url:
                rows.append(in_chromium(url, min(args.rounds, 5)))
    if args.output == "json":
        print(json.dumps({"incidents": args.incidents, "pages": rows}, indent=2))
    else:
        print(f"{args.incidents} open incidents")
        for row in rows:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
    missed = any(
        row.get("cpu_ms_median", row["wall_ms_median"]) > row["goal_ms"]
        or row["wire_kib"] > WEIGHT_KIB
        for row in rows
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
