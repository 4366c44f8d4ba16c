"""`abops alerts routes check --probe`: every channel asked, nobody told."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from abops.alerts.model import Endpoints
from abops.alerts.service.probe import Probed, probe_channels
from abops.kernel.clock import SystemClock
from support.alerts import ROOT, a_routing, endpoints_of
from support.channels import SECRETS, Channels


async def probed(endpoints: Endpoints) -> dict[str, Probed]:
    found = await probe_channels(a_routing(), endpoints, SystemClock())
    return {channel.channel: channel for channel in found}


def secrets_with(folder: Path, channels: Channels, **changed: str) -> Endpoints:
    for name, value in (SECRETS | changed).items():
        (folder / name).write_text(value)
    return msgspec.structs.replace(endpoints_of(channels), secrets_dir=str(folder))


async def test_each_channel_is_asked_and_nobody_is_told(channels: Channels) -> None:
    found = await probed(endpoints_of(channels))
    assert {
        "pd": "answers with 405; the key is not tested",
        "chat": "abops in Local",
        "tg": "@abops_bot in Operations",
        "mail": "logged in in plain text",
    } == {name: channel.said for name, channel in found.items()}
    assert all(channel.passed for channel in found.values())
    assert all(0 < channel.seconds < 10 for channel in found.values())
    assert [] == channels.received("inbox")
    assert [] == channels.violations("inbox")


@pytest.mark.parametrize(
    ("secret", "channel", "said"),
    [
        ("slack", "chat", "Slack refused: invalid_auth"),
        ("telegram", "tg", "Telegram refused: 401 Unauthorized"),
        ("smtp", "mail", "the mail server refused: 535"),
    ],
)
async def test_a_wrong_secret_is_said_without_the_secret(
    channels: Channels, tmp_path: Path, secret: str, channel: str, said: str
) -> None:
    wrong = "7000000001:not-the-right-one-at-all"
    found = await probed(secrets_with(tmp_path, channels, **{secret: wrong}))
    assert {channel} == {name for name, answer in found.items() if not answer.passed}
    assert found[channel].said.startswith(said)
    assert wrong not in found[channel].said


async def test_a_channel_that_fails_hides_no_other(channels: Channels, tmp_path: Path) -> None:
    channels.control("pagerduty", mode="5xx")
    channels.control("telegram", mode="reset")
    endpoints = secrets_with(tmp_path, channels)
    (tmp_path / "slack").unlink()
    endpoints = msgspec.structs.replace(endpoints, smtp_port=9)
    said = {name: channel.said for name, channel in (await probed(endpoints)).items()}
    assert said["pd"].startswith("PagerDuty refused: 500")
    assert said["tg"].startswith("Telegram did not answer: ")
    assert said["chat"].endswith("slack cannot be read: No such file or directory")
    assert said["mail"].startswith("the mail server did not answer: ")


def run(folder: Path, channels: Channels, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "endpoints.json").write_bytes(msgspec.json.encode(endpoints_of(channels)))
    return subprocess.run(
        [
            *(Path(sys.executable).with_name("abops"), "alerts", "routes", "check"),
            *("--inventory", ROOT / "platform.yaml", "--endpoints", folder / "endpoints.json"),
            *words,
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_shows_tests_and_channels(channels: Channels, tmp_path: Path) -> None:
    done = run(tmp_path, channels, "--probe", "--output", "json")
    rows = json.loads(done.stdout)
    assert (0, "") == (done.returncode, done.stderr)
    assert {"yes"} == {row["passed"] for row in rows}
    names = {row["channel"]: row["call"] for row in rows if "channel" in row}
    assert {"reached", "auth.test", "getMe, getChat", "EHLO, login, NOOP"} == set(names.values())
    assert any("labels" in row for row in rows)


def test_the_command_ends_with_one_when_a_channel_fails(channels: Channels, tmp_path: Path) -> None:
    channels.control("slack", mode="5xx")
    done = run(tmp_path, channels, "--check-channels")
    assert 1 == done.returncode
    assert "channels: slack-ops (Slack refused: service_unavailable)" in done.stderr
    assert "channel" not in run(tmp_path, channels).stdout
