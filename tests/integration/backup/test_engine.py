"""Backups made by the commands, on a real database with two regions; what goes wrong has a name."""

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from abops.backup.postgres.credentials import keyring_of
from abops.backup.service.lock import hold, is_held
from abops.stack.programs import postgres_prefix
from support.backup import ABOPS, ROOT, Protected, run_as_owner
from support.servers import wait_until

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def rows(protected: Protected, *words: str) -> list[dict[str, object]]:
    done = protected.abops(*words, "--output", "json")
    assert done.returncode == 0, done.stderr
    told: list[dict[str, object]] = json.loads(done.stdout)
    return told


def secrets_of(protected: Protected) -> tuple[str, ...]:
    rings = [keyring_of(protected.home, place) for place in protected.site.sources]
    return tuple(text for ring in rings for text in (ring.passphrase, ring.keys.secret_key))


@contextmanager
def changed(protected: Protected, name: str, **options: str) -> Iterator[None]:
    """Have other options in a destination's configuration while the block runs."""
    # The database pushes by itself here: a dead destination must not hold the log of the other.
    protected.archive_directly("us")
    config = protected.config(name)
    right = config.read_text()
    text = right
    for word, value in options.items():
        option = word.replace("_", "-")
        text = re.sub(rf"(?m)^{option}=.*$", f"{option}={value}", text)
    assert text != right
    config.write_text(text)
    try:
        yield
    finally:
        config.write_text(right)


def test_a_full_and_then_an_increment_go_to_each_region(protected: Protected) -> None:
    protected.archive_directly("eu", "us")

    first = rows(protected, "run", "--type", "full")
    second = rows(protected, "run")

    assert [("eu", "full"), ("us", "full")] == [(one["destination"], one["type"]) for one in first]
    assert [("eu", "incr"), ("us", "incr")] == [(one["destination"], one["type"]) for one in second]
    listed = {one["label"] for one in rows(protected, "list")}
    assert {one["label"] for one in (*first, *second)} <= listed
    assert {"ready"} == {one["state"] for one in rows(protected, "status")}


def test_a_second_run_says_who_has_the_destination_in_hand(protected: Protected) -> None:
    with hold(protected.home, "eu", "a rehearsal"):
        done = protected.abops("run", "--to", "eu")

    assert 1 == done.returncode
    assert f"eu: a rehearsal (process {os.getpid()}) has it in hand" in done.stderr
    assert "hint: Wait for its end" in done.stderr


def test_no_secret_is_in_a_process_list_an_output_or_a_log(protected: Protected) -> None:
    protected.archive_directly("eu", "us")
    secrets = secrets_of(protected)
    seen: list[str] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    text = line.read_bytes().decode(errors="replace")
                    seen.extend(secret for secret in secrets if secret in text)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = [protected.abops("run", "--to", "eu"), protected.abops("doctor")]
        with changed(protected, "eu", repo1_cipher_pass="d3Jvbmc="):  # noqa: S106 - a wrong one
            done.append(protected.abops("run", "--to", "eu"))
    finally:
        ended.set()
        watcher.join()

    told = "".join(one.stdout + one.stderr for one in done)
    logs = [path for path in protected.home.folder.rglob("*.log") if path.is_file()]
    told += "".join(path.read_text(errors="replace") for path in (*logs, protected.database.log))
    assert [] == seen
    assert [] == [secret for secret in secrets if secret in told]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"repo1_s3_key_secret": "wrong"}, "the credentials were not accepted"),
        ({"repo1_cipher_pass": "d3Jvbmc="}, "the passphrase does not open what is there"),
        ({"repo1_s3_bucket": "nowhere"}, "its bucket is not there"),
        ({"repo1_storage_port": "1"}, "it did not answer"),
    ],
    ids=["wrong secret", "wrong passphrase", "no bucket", "dead endpoint"],
)
def test_a_destination_that_fails_is_named_with_the_reason_and_stops_no_other(
    protected: Protected, options: dict[str, str], words: str
) -> None:
    with changed(protected, "eu", **options):
        done = protected.abops("run")

    assert 1 == done.returncode
    assert f"error: eu: info: {words}" in done.stderr
    assert "hint: " in done.stderr
    assert done.stderr.isascii()
    outcomes = [line.split("\t")[:3:2] for line in done.stdout.splitlines()[1:]]
    assert [["eu", "failed"], ["us", "success"]] == outcomes


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        ("+20m", "this machine's clock is 20.0 min ahead of the store's"),
        ("+900d", "certificate has expired"),
    ],
)
def test_a_wrong_clock_and_an_expired_certificate_are_told(
    protected: Protected, ahead: str, words: str
) -> None:
    if not FAKETIME.is_file():
        pytest.skip("faketime is not installed")
    hurried = ["env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME={ahead}"]
    command = [ABOPS, "backup", "status", "--to", "eu", "--home", protected.home.folder]
    done = subprocess.run(
        [*postgres_prefix(), *hurried, *command],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )

    assert 1 == done.returncode
    assert words in done.stderr


def test_a_run_that_was_killed_is_taken_up_and_restores_equal(protected: Protected) -> None:
    protected.archive_directly("us")
    protected.database.fill(10)
    run = subprocess.Popen(
        [ABOPS, "backup", "run", "--to", "us", "--type", "full", "--home", protected.home.folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    wait_until(lambda: _engine(protected) > 0, what="the engine at work")
    engine = _engine(protected)
    run.kill()
    os.killpg(os.getpgid(engine), signal.SIGKILL)
    run.wait(10)
    wait_until(lambda: not is_held(protected.home, "us"), what="the lock free")
    mark = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM pgbench_accounts t"
    expected = protected.database.sql(mark)

    done = protected.abops("run", "--to", "us", "--type", "full")

    assert 0 == done.returncode, done.stderr
    assert expected == _restored(protected, mark)


def _engine(protected: Protected) -> int:
    """Return the process of the engine that makes a backup to `us`, 0 while there is none."""
    for lock in (protected.home.work("us") / "lock").glob("main-backup*.lock"):
        with suppress(OSError, ValueError, KeyError):
            return int(json.loads(lock.read_text())["pid"])
    return 0


def _restored(protected: Protected, mark: str) -> str:
    """Restore the newest set of `us` and return what the statement gives there."""
    site, folder = protected.site, protected.database.folder
    target, sockets = folder / "restored", folder / "run"
    programs = site.cluster.programs
    run_as_owner(
        *(site.engine, f"--config={protected.config('us')}", "--stanza=main", "--type=immediate"),
        *("--target-action=promote", "--archive-mode=off", f"--pg1-path={target}", "restore"),
    )
    settings = [f"unix_socket_directories={sockets}", "listen_addresses=", "port=1"]
    words = [word for one in settings for word in ("-c", one)]
    with (folder / "restored.log").open("wb") as log:
        server = subprocess.Popen(
            [*postgres_prefix(), programs / "postgres", "-D", target, *words],
            stdout=log,
            stderr=log,
            cwd="/",
        )
    psql = [programs / "psql", "-X", "-h", sockets, "-p", "1", "-U", site.cluster.superuser]

    def ask(statement: str) -> str:
        return run_as_owner(*psql, "-d", "postgres", "-Atqc", statement).strip()

    def promoted() -> bool:
        try:
            return ask("SELECT pg_is_in_recovery()") == "f"
        except AssertionError:
            return False

    try:
        wait_until(promoted, what="the restored server promoted")
        return ask(mark)
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)
