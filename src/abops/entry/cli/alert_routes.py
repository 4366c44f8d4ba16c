"""Whether alerts would reach people: route tests, and every channel asked."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from abops.alerts.model import Routing
from abops.alerts.route.from_inventory import routing_of
from abops.alerts.route.tree import RouteTestError, RouteTestResult, check
from abops.alerts.service.probe import ChannelProbeError, Probed, probe_channels
from abops.inventory.load import load_inventory
from abops.kernel.clock import SystemClock
from abops.kernel.errors import OpsError

Rows = list[dict[str, Any]]


def check_all(
    *, probe: bool, endpoints: Path | None, secrets_dir: Path | None, inventory: Path
) -> tuple[Rows, Rows, list[OpsError]]:
    """Return the rows of the route tests, those of the channels, and what is wrong."""
    routing = routing_of(load_inventory(inventory))
    results = check(routing)
    channels = _probe(routing, endpoints, secrets_dir) if probe else ()
    failed = sum(not result.passed for result in results)
    silent = [f"{channel.channel} ({channel.said})" for channel in channels if not channel.passed]
    mistakes: list[OpsError] = []
    if failed:
        mistakes.append(RouteTestError(f"{failed} of {len(results)} route tests fail"))
    if silent:
        mistakes.append(
            ChannelProbeError(f"{len(silent)} of {len(channels)} channels: {'; '.join(silent)}")
        )
    return [_test_row(result) for result in results], [_row(c) for c in channels], mistakes


def _probe(
    routing: Routing, endpoints: Path | None, secrets_dir: Path | None
) -> tuple[Probed, ...]:
    from abops.entry.web.serve import read_endpoints  # it brings the web server in

    where = read_endpoints(endpoints, secrets_dir)
    return asyncio.run(probe_channels(routing, where, SystemClock()))


def _test_row(result: RouteTestResult) -> dict[str, Any]:
    return {
        "passed": _word(passed=result.passed),
        "labels": ", ".join(f"{k}={v}" for k, v in result.labels.items()),
        "expected": ", ".join(result.expected),
        "actual": ", ".join(result.actual),
        "why": result.why,
    }


def _row(channel: Probed) -> dict[str, Any]:
    return {"passed": _word(passed=channel.passed)} | {
        name: value for name, value in msgspec.structs.asdict(channel).items() if name != "passed"
    }


def _word(*, passed: bool) -> str:
    return "yes" if passed else "NO"
