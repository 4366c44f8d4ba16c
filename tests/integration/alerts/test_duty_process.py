"""The service as its own process: timers that outlive kill -9; silences by HTTP and terminal."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from abops.kernel.clock import SystemClock
from support.alerts import RESPOND, ROOT, Process, a_process, an_alert
from support.channels import Channels
from support.servers import wait_until

SECOND_LEVEL_S = 8
LATE_AT_MOST_S = 2.0


def responding(request: httpx2.Request) -> httpx2.Request:
    """Show the token that may respond."""
    request.headers["Authorization"] = f"Bearer {RESPOND}"
    return request


def inventory(folder: Path) -> Path:
    """Return the shipped inventory with levels that a test can wait for."""
    text = (ROOT / "platform.yaml").read_text()
    quick = text.replace("after: 15m", f"after: {SECOND_LEVEL_S}s")
    assert quick != text
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "platform.yaml").write_text(quick)
    return folder / "platform.yaml"


def pages(process: Process) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = process.client.get("/v1/incidents/1/pages").json()
    return found


def run_abops(process: Process, *words: str) -> subprocess.CompletedProcess[str]:
    url = str(process.client.base_url)
    argv = [Path(sys.executable).with_name("abops"), "alerts", *words, "--service", url]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def opened(process: Process) -> bool:
    return len(process.client.get("/v1/incidents").json()) == 1


@pytest.mark.parametrize("down_too_long", [False, True], ids=["in-time", "due-while-down"])
def test_kill_9_between_two_levels_delays_the_next_by_2_s_at_most(
    channels: Channels,
    tmp_path: Path,
    down_too_long: bool,  # noqa: FBT001 - a case
) -> None:
    file = str(inventory(tmp_path))
    with a_process(channels, tmp_path, "--inventory", file) as first:
        first.post(an_alert())
        wait_until(lambda: opened(first) and len(pages(first)) == 1, what="level 1", timeout_s=10)
        due = pages(first)[0]["at"] + SECOND_LEVEL_S
        first.server.stop(sig=signal.SIGKILL)
    now = SystemClock().now
    if down_too_long:
        wait_until(lambda: now().timestamp() > due, what="level 2 is due", timeout_s=20)
    with a_process(channels, tmp_path, "--inventory", file) as second:
        ready = now().timestamp()
        assert down_too_long == (ready > due)
        wait_until(lambda: len(pages(second)) == 2, what="level 2", timeout_s=20)
        levels = [(page["level"], page["team"]) for page in pages(second)]
        assert [(1, "dev"), (2, "devops")] == levels
        late = pages(second)[1]["at"] - max(due, ready)
    assert late <= LATE_AT_MOST_S


def test_silences_and_windows_from_the_terminal(channels: Channels, tmp_path: Path) -> None:
    with a_process(channels, tmp_path) as process:
        made = run_abops(process, "silence", "add", 'service="api"', "--for", "2h", "--reason", "x")
        assert (0, "silence 1 until") == (made.returncode, made.stdout[:15])
        process.post(an_alert())
        wait_until(lambda: opened(process), what="an incident", timeout_s=10)
        assert [] == process.client.get("/v1/incidents/1").json()["deliveries"]
        assert 'service="api"' in run_abops(process, "silence", "list").stdout
        assert 0 == run_abops(process, "silence", "end", "1").returncode

        def told() -> bool:
            return bool(process.client.get("/v1/incidents/1").json()["deliveries"])

        wait_until(told, what="told after the end", timeout_s=10)
        again = run_abops(process, "silence", "end", "1")
        assert (1, True) == (again.returncode, "no silence 1" in again.stderr)
        planned = run_abops(
            process,
            *("maintenance", "add", "weekly", 'service="postgres"', "--for", "2h"),
            *("--days", "sat,sun", "--at", "02:00", "--tz", "Europe/Berlin", "--reason", "upgrade"),
        )
        assert "window 1 is planned\n" == planned.stdout
        window = process.client.get("/v1/windows").json()[0]
        assert ("weekly", "02:00") == (window["name"], window["schedule"]["at"])
        assert 0 == run_abops(process, "maintenance", "end", "1").returncode
        assert [] == process.client.get("/v1/windows").json()


def test_what_cannot_be_silenced_is_answered_with_why(channels: Channels, tmp_path: Path) -> None:
    end = (SystemClock().now() + timedelta(hours=1)).isoformat()
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("silences", {"matchers": "nonsense", "reason": "x", "ends_at": end}),
        ("silences", {"matchers": 'a="b"', "ends_at": end}),
        ("windows", {"name": "w", "matchers": 'a="b"', "reason": "x"}),
        (
            "windows",
            {
                "name": "w",
                "matchers": 'a="b"',
                "reason": "x",
                "schedule": {"days": ["someday"], "at": "02:00", "for": "2h"},
            },
        ),
    ]
    with a_process(channels, tmp_path) as process:
        for path, body in bodies:
            answer = process.client.post(f"/v1/{path}", json=body, auth=responding)
            assert 400 == answer.status_code, (body, answer.text)
            assert {"error", "hint"} <= set(answer.json())
        assert 404 == process.client.delete("/v1/silences/7", auth=responding).status_code
        teams = [turn["team"] for turn in process.client.get("/v1/oncall").json()]
    assert ["dev", "devops", "management"] == teams
