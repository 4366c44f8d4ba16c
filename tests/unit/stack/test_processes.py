import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from abops.stack import processes
from abops.stack.processes import MARK, MARK_PART, Identity
from support.servers import wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)",
]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    yield from _run(SLEEP)


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[bytes]]:
    for process in _run(DEAF, stdout=subprocess.PIPE):
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.stdout.close()


def _run(argv: list[str], stdout: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(argv, stdout=stdout, env={**os.environ, MARK: "x1", MARK_PART: "p"})
    yield process
    process.kill()
    process.wait()


def identity_of(process: subprocess.Popen[bytes]) -> Identity:
    identity = processes.identify(process.pid)
    assert identity is not None
    return identity


def test_a_running_process_is_alive(sleeper: subprocess.Popen[bytes]) -> None:
    assert processes.is_alive(identity_of(sleeper))


def test_a_dead_process_nobody_has_waited_for_is_not_alive(
    sleeper: subprocess.Popen[bytes],
) -> None:
    identity = identity_of(sleeper)
    sleeper.kill()

    wait_until(lambda: not processes.is_alive(identity), timeout_s=5)


def test_a_recycled_process_id_gets_no_signal(sleeper: subprocess.Popen[bytes]) -> None:
    stranger = msgspec.structs.replace(identity_of(sleeper), started=1)

    assert not processes.send(stranger, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_record_from_before_a_reboot_gets_no_signal(sleeper: subprocess.Popen[bytes]) -> None:
    stranger = msgspec.structs.replace(identity_of(sleeper), boot="an earlier one")

    assert not processes.send(stranger, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_process_that_heeds_its_signal_is_not_killed(sleeper: subprocess.Popen[bytes]) -> None:
    assert () == processes.end([identity_of(sleeper)], signal.SIGTERM, 10)
    assert -signal.SIGTERM == sleeper.wait()


def test_a_process_that_ignores_its_signal_is_killed_and_told(
    deaf: subprocess.Popen[bytes],
) -> None:
    identity = identity_of(deaf)

    assert (identity,) == processes.end([identity], signal.SIGTERM, 0.2)
    assert -signal.SIGKILL == deaf.wait()


def test_processes_are_found_by_the_mark_of_their_stack(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper)
    # Between fork and exec a child shows its parent's environment.
    wait_until(lambda: identity in processes.marked("x1"), timeout_s=5)

    assert "p" == processes.marked("x1")[identity]
    assert identity not in processes.marked("x2")


def test_processes_are_found_by_their_working_folder(tmp_path: Path) -> None:
    process = subprocess.Popen(SLEEP, cwd=tmp_path)
    try:
        found = processes.marked("x3", below=tmp_path)
        assert ["postgres"] == [part for i, part in found.items() if i.pid == process.pid]
    finally:
        process.kill()
        process.wait()
