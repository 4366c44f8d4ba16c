"""The playbook's own lines, read from the page, on a real cluster with two regions."""

import os
import re
import subprocess
import time
from datetime import UTC

import pytest

from abops.kernel.clock import SystemClock
from support.backup import ABOPS, ROOT, Protected, RegionServer, protect, run_as_owner
from support.servers import wait_until

PAGE = ROOT / "docs/DISASTER_RECOVERY_PLAYBOOK.md"
ROWS = "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY aid)) FROM pgbench_accounts t"


def block(number: int) -> str:
    """Return the commands of a scenario, as the page has them."""
    found = re.search(
        rf"^## Scenario {number}:.*?^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return found[1]


def follow(protected: Protected, number: int, **values: str) -> subprocess.CompletedProcess[str]:
    """Run the lines of a scenario as they stand; the first that fails ends it."""
    path = f"{ABOPS.parent}:{os.environ['PATH']}"
    home = str(protected.home.folder)
    return subprocess.run(
        ["/bin/bash", "-euc", block(number)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "ABOPS_BACKUP_HOME": home, **values},
        cwd=ROOT,
        timeout=280,
    )


@pytest.mark.slow
def test_a_corrupted_database_comes_back_row_by_row(protected: Protected) -> None:
    base = protected.database
    base.fill()
    assert protected.abops("run", "--type", "full").returncode == 0
    base.sql("UPDATE pgbench_accounts SET abalance = aid % 7")
    right = base.sql(ROWS)
    time.sleep(1.1)  # the target is a moment at which nothing happens
    good = SystemClock().now().astimezone(UTC)
    time.sleep(1.1)
    base.sql("UPDATE pgbench_accounts SET abalance = -1")
    time.sleep(1.1)
    protected.switch()
    assert right != base.sql(ROWS)
    old = base.process
    began = time.monotonic()
    new = base.data.with_name("data.new")
    try:
        done = follow(protected, 1, T=good.isoformat(), NEW=str(new), FROM="us")
        assert done.returncode == 0, done.stdout + done.stderr
        took = time.monotonic() - began
        assert right == base.sql(ROWS)
        assert old is not None
        assert old.wait(10) == 0
        assert "2" == base.sql("SELECT timeline_id FROM pg_control_checkpoint()")
        (kept,) = base.folder.glob("data.before-*")
        assert (kept / "PG_VERSION").is_file()
        wait_until(lambda: archived_history(protected), what="the new timeline's history archived")
        print(f"scenario 1: {took:.1f} s with the full backup, every row equal")  # noqa: T201
    finally:
        if (base.data / "postmaster.pid").is_file():
            programs = protected.site.cluster.programs
            run_as_owner(programs / "pg_ctl", "-D", base.data, "-m", "immediate", "stop")


@pytest.mark.slow
def test_every_destination_meets_the_targets_at_the_latest_point_and_at_a_moment(
    regions: dict[str, RegionServer],
) -> None:
    for region in regions.values():
        region.ensure()
    # Within the patience of a test: production sends its log every 60 s.
    with protect(regions, archive_timeout="5s") as protected:
        protected.archive_directly("eu", "us")
        protected.database.fill()
        assert protected.abops("run", "--type", "full").returncode == 0
        done = follow(protected, 5)
        assert done.returncode == 0, done.stdout + done.stderr
        print(done.stdout)  # noqa: T201 - the figures
        assert 4 == done.stdout.count("success")
        assert 4 == len([*protected.home.drills.glob("*.html")])


@pytest.mark.slow
def test_with_one_region_a_black_hole_everything_comes_back_from_the_other(
    regions: dict[str, RegionServer],
) -> None:
    for region in regions.values():
        region.ensure()
    with protect(regions) as protected:
        base = protected.database
        protected.archive_directly("us")
        base.fill()
        assert protected.abops("run", "--to", "us", "--type", "full").returncode == 0
        base.sql("UPDATE pgbench_accounts SET abalance = aid % 11")
        right = base.sql(ROWS)
        protected.switch()
        regions["eu"].freeze()
        base.stop()
        began = time.monotonic()
        try:
            done = follow(protected, 4, NEW=str(base.data.with_name("data.new")), FROM="us")
            assert done.returncode == 0, done.stdout + done.stderr
            assert right == base.sql(ROWS)
            print(f"scenario 4: {time.monotonic() - began:.1f} s, every row equal")  # noqa: T201
        finally:
            regions["eu"].thaw()
            if (base.data / "postmaster.pid").is_file():
                programs = protected.site.cluster.programs
                run_as_owner(programs / "pg_ctl", "-D", base.data, "-m", "immediate", "stop")


def archived_history(protected: Protected) -> bool:
    listed = run_as_owner("ls", protected.database.data / "pg_wal/archive_status")
    return "00000002.history.done" in listed.split()


def test_every_scenario_has_a_block() -> None:
    assert all(block(number).startswith("abops ") for number in range(1, 6))
