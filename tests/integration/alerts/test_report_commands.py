"""The reports and the training as people ask for them: from the terminal, of a running service."""

import json
import subprocess
import sys
from pathlib import Path

import httpx2

from support.alerts import ROOT, Process, a_process, an_alert
from support.channels import Channels
from support.servers import wait_until


def abops(process: Process, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [Path(sys.executable).with_name("abops"), "alerts", *arguments]
    argv += ["--service", str(process.client.base_url).rstrip("/")]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)


def an_acked_incident(process: Process) -> None:
    process.post(an_alert("ApiErrorStorm", service="api"))
    wait_until(lambda: process.client.get("/v1/incidents/1").status_code == 200, what="an incident")
    acked = process.client.post("/v1/incidents/1/ack", json={"by": "ana"})
    assert 200 == acked.status_code, acked.text


def test_the_terminal_tells_what_alerts_cost_the_week_and_what_training_lacks(
    channels: Channels, tmp_path: Path
) -> None:
    with a_process(channels, tmp_path) as process:
        an_acked_incident(process)
        table = abops(process, "report", "fatigue")
        document = abops(process, "report", "fatigue", "--days", "30", "--output", "json")
        mail = ("--endpoints", tmp_path / "endpoints.json", "--send")
        letter = abops(process, "report", "weekly", *mail)
        trained = abops(process, "train")
    assert (0, "") == (table.returncode, table.stderr)
    assert "acknowledged\t1\t0" in table.stdout
    found = json.loads(document.stdout)[0]
    assert (1, 1) == (found["now"]["incidents"], found["now"]["acked"])
    assert ["ApiErrorStorm"] == [kind["kind"] for kind in found["kinds"]]
    assert (0, "") == (letter.returncode, letter.stderr)
    assert "sent to ops@example.org by mail-weekly" in letter.stdout
    received = httpx2.get(f"{channels.url('inbox')}/_received").text
    assert "Median time to acknowledge" in received
    assert (0, "") == (trained.returncode, trained.stderr)
    assert trained.stdout.startswith("nothing changed: 1 labels, 1 actionable: too few")
