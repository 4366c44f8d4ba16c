"""The archiver with a real PostgreSQL and two regions: what is told kept is kept, whole, once."""

import signal
import time
from collections.abc import Iterator

import pytest

from support.backup import Protected
from support.servers import free_port, wait_until
from support.wal import Archiver, archiving, cut_off, finish

STEPS = ("judged", "linked", "pushed", "copied", "one owed", "owed")
"""Where the archiver may be killed while it has a segment in hand."""


@pytest.fixture
def archiver(protected: Protected) -> Iterator[Archiver]:
    for region in protected.regions.values():
        region.ensure()
    with archiving(protected, "--metrics-port", str(free_port())) as one:
        # What the test before left unpaid is none of this one's.
        assert protected.abops("wal", "drain").returncode == 0
        yield one


def test_every_segment_reaches_every_destination(archiver: Archiver) -> None:
    names = archiver.make_segments(3)
    for destination in ("eu", "us"):
        archiver.compare(destination, names)
    assert [] == archiver.owed("eu") + archiver.owed("us")
    status = archiver.status()
    assert status is not None
    assert names[-1] == status["eu"]["last_push"]
    sql = archiver.protected.database.sql
    wait_until(lambda: sql("SELECT to_regclass('abops.dr_heartbeat')") != "", what="heartbeat")


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_a_dead_region_costs_postgresql_nothing_and_gets_all_when_it_is_back(
    archiver: Archiver, fault: str
) -> None:
    region = archiver.protected.regions["us"]
    getattr(region, fault)()
    names = archiver.make_segments(20)
    assert names == archiver.owed("us")
    archiver.compare("eu", names)
    # 95 of 100 within half a second, also on a busy machine.
    assert archiver.slow_answers() <= 1
    # PostgreSQL takes the files of what was archived for new segments.
    database = archiver.protected.database
    database.sql("CHECKPOINT")
    later = archiver.make_segments(4)
    database.sql("CHECKPOINT")
    assert not (database.data / "pg_wal" / names[0]).exists()
    region.ensure()
    drained = archiver.protected.abops("wal", "drain", "--timeout", "30")
    assert (0, "nothing is owed\n") == (drained.returncode, drained.stderr)
    archiver.compare("us", [*names, *later])
    for secret in (region.secret_key, region.access_key):
        assert secret not in archiver.log.read_text()


def test_killed_at_any_step_the_archiver_loses_doubles_and_alters_nothing(
    archiver: Archiver,
) -> None:
    archiver.protected.regions["us"].freeze()
    names = []
    for step in STEPS:
        archiver.kill()
        archiver.start(dies_at=step)
        (name,) = archiver.make_segments(1, wait=False)
        names.append(name)
        wait_until(lambda: archiver.ended, what=f"killed when {step}")
        assert archiver.process is not None
        assert -signal.SIGKILL == archiver.process.returncode
        archiver.start()
        archiver.wait_for(name)
    assert names == archiver.owed("us")
    archiver.protected.regions["us"].thaw()
    assert archiver.protected.abops("wal", "drain").returncode == 0
    for destination in ("eu", "us"):
        archiver.compare(destination, names)


def test_a_killed_program_of_postgresql_loses_doubles_and_alters_nothing(
    archiver: Archiver,
) -> None:
    names = archiver.keep_segments(6)
    for turn, name in enumerate(names):
        program = archiver.client_run("push", f"pg_wal/{name}")
        time.sleep(turn * 0.015)
        program.kill()
        finish(program)
        assert (0, "") == archiver.push(name)
    for destination in ("eu", "us"):
        archiver.compare(destination, names)


def test_the_same_again_is_as_good_and_another_of_its_name_is_refused(archiver: Archiver) -> None:
    (name,) = archiver.keep_segments(1)
    assert [(0, ""), (0, "")] == [archiver.push(name), archiver.push(name)]
    path = archiver.protected.database.data / "pg_wal" / name
    content = path.read_bytes()
    path.write_bytes(content[:-8] + b"other...")
    code, said = archiver.push(name)
    path.write_bytes(content)
    assert code == 1
    assert "another segment" in said
    for destination in ("eu", "us"):
        archiver.compare(destination, [name])


def test_a_segment_under_a_wrong_name_and_files_of_others_are_refused(archiver: Archiver) -> None:
    (name,) = archiver.keep_segments(1)
    log = archiver.protected.database.data / "pg_wal"
    stranger = log / "000000010000000F000000AA"
    stranger.write_bytes((log / name).read_bytes())
    stranger.chmod(0o644)
    code, said = archiver.push(stranger.name)
    stranger.unlink()
    assert (1, True) == (code, "another place than its name" in said)
    code, said = finish(archiver.client_run("push", archiver.side / name))
    assert (1, True) == (code, "not in the log" in said)
    assert archiver.push("postgresql.conf")[0] == 1
    assert stranger.name not in archiver.kept("eu")


def test_without_archiver_postgresql_keeps_the_segment_and_asks_again(archiver: Archiver) -> None:
    archiver.kill()
    failed = "SELECT failed_count FROM pg_stat_archiver"
    before = int(archiver.protected.database.sql(failed))
    (name,) = archiver.make_segments(1, wait=False)
    wait_until(
        lambda: int(archiver.protected.database.sql(failed)) > before, what="the push failed"
    )
    assert archiver.push(name)[0] == 1
    assert 126 == archiver.get(name)[0]
    archiver.start()
    archiver.wait_for(name)
    archiver.compare("us", [name])


def test_asked_to_stop_it_answers_what_it_has_in_hand(archiver: Archiver) -> None:
    (name,) = archiver.keep_segments(1)
    program = archiver.client_run("push", f"pg_wal/{name}")
    wait_until(lambda: bool(list((archiver.queue / "inflight/eu").iterdir())), what="in flight")
    assert 0 == archiver.stop()
    assert (0, "") == finish(program)
    archiver.compare("eu", [name])


def test_a_recovery_hears_not_there_only_when_each_destination_said_so(
    archiver: Archiver,
) -> None:
    missing = "00000001000000FF00000001"
    (first,) = archiver.make_segments(1)
    assert [0, 1] == [archiver.get(first)[0], archiver.get(missing)[0]]
    with cut_off(archiver.protected, "us"):
        (owed,) = archiver.make_segments(1)
        assert [0, 126, 1] == [
            archiver.get(first)[0],
            archiver.get(missing)[0],
            archiver.get(missing, "eu")[0],
        ]
    with cut_off(archiver.protected, "us", "eu"):
        # What is owed lies here: nobody has to be asked for it.
        assert 0 == archiver.get(owed)[0]
        assert archiver.fetched.read_bytes() == (archiver.side / owed).read_bytes()
    assert 126 == archiver.get(first, "mars")[0]


def test_a_new_timeline_is_archived_with_its_history(archiver: Archiver) -> None:
    database = archiver.protected.database
    names = archiver.make_segments(2)
    database.stop(signal.SIGINT)
    (database.data / "standby.signal").touch()
    database.settings["restore_command"] = f"{archiver.client} get %f %p"
    database.start()
    wait_until(lambda: database.sql("SELECT pg_is_in_recovery()") == "t", what="it recovers")
    database.sql("SELECT pg_promote()")
    later = archiver.make_segments(1)
    assert "00000002" == later[0][:8]
    beside = sorted(path.name for path in archiver.side.iterdir() if "." in path.name)
    assert "00000002.history" in beside
    partial = [name for name in beside if name.endswith(".partial")]
    assert 1 == len(partial)
    for destination in ("eu", "us"):
        archiver.compare(destination, [*names, *later, *partial])
