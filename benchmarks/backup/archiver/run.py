"""What a WAL segment costs PostgreSQL with three encrypted destinations, one of them dead.

Run: python benchmarks/backup/archiver/run.py [--small] [--runs 3] [--output json]

Time is that of the program in archive_command, from its start to its end, one segment after the
other, as PostgreSQL calls it. Beside it pgBackRest's own mode of several repositories, in the same
run, on the same regions, with the same engine. Frozen: a region accepts connections and answers
nothing. Refusing: nobody listens. Then the region is back: how long until everything owed is there,
compared by SHA-1 with what PostgreSQL had. The program and the archiver alone: an engine that does
nothing.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rig import destinations, machine, several_repositories

# isort: split
from judging import Row, over_runs, row, told

from abops.stack.programs import postgres_prefix
from support.backup import Protected
from support.wal import Archiver, archiving, sha1

NAMES = ("eu", "us", "ap")
DEAD = "us"
GOAL_MS, GOAL_ALONE_MS, GOAL_DRAIN_S = 500, 60, 30


def ours(archiver: Archiver, names: Sequence[str]) -> list[float]:
    """Push segments by the program, one after the other; return the time of each."""
    return [timed(lambda name=name: expect(archiver.push(name))) for name in names]


def expect(answer: tuple[int, str]) -> None:
    """Claim that a segment was kept."""
    if answer != (0, ""):
        raise SystemExit(f"a segment was not kept: {answer}")


def timed(call: Callable[[], None]) -> float:
    """Return the milliseconds of a call."""
    began = time.monotonic()
    call()
    return (time.monotonic() - began) * 1000


def native(protected: Protected, names: Sequence[str], limit_s: float) -> list[float]:
    """Push segments by the engine's mode of several repositories; none takes longer than asked."""
    config = several_repositories(protected, NAMES)
    base = [*postgres_prefix(), str(protected.site.engine), f"--config={config}"]
    base += [f"--stanza={protected.site.stanza}", "--log-level-console=off", "archive-push"]
    times = []
    for name in names:
        began = time.monotonic()
        try:
            subprocess.run(  # noqa: S603 - the engine
                [*base, str(protected.database.data / "pg_wal" / name)],
                check=False,
                cwd="/",
                stderr=subprocess.DEVNULL,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired:
            return [*times, limit_s * 1000]
        times.append((time.monotonic() - began) * 1000)
    return times


def back_again(archiver: Archiver, destination: str, names: Sequence[str], what: str) -> Row:
    """Have everything owed paid; compare what is there with what PostgreSQL had."""
    began = time.monotonic()
    done = archiver.protected.abops("wal", "drain", "--timeout", "120")
    seconds = time.monotonic() - began
    kept = archiver.kept(destination)
    whole = sum(kept.get(name) == [sha1(archiver.side / name)] for name in names)
    if done.returncode:
        raise SystemExit(f"what is owed is not paid: {done.stderr}")
    goal = GOAL_DRAIN_S * 1000 * len(names) / 100
    return row(what, [seconds * 1000], goal, owed=len(names), equal=whole)


def measure(protected: Protected, count: int, limit_s: float) -> list[Row]:
    """Run everything; segments are made beforehand and archived by nobody else."""
    region, rows, goal = protected.regions[DEAD], [], GOAL_MS
    with archiving(protected, "--metrics-port", "0") as archiver:
        rows.append(row("ours, all alive", ours(archiver, archiver.keep_segments(count)), goal))
        rows.append(
            row("native, all alive", native(protected, archiver.keep_segments(count), limit_s))
        )
        names = archiver.keep_segments(count)
        region.freeze()
        rows.append(row("ours, one frozen", ours(archiver, names), goal))
        rows.append(stalled("native, one frozen", protected, archiver, limit_s))
        region.thaw()
        rows.append(back_again(archiver, DEAD, names, f"back: {count} owed to it"))
        names = archiver.keep_segments(count)
        region.kill()
        rows.append(row("ours, one refusing", ours(archiver, names), goal))
        rows.append(stalled("native, one refusing", protected, archiver, limit_s))
        region.start()
        rows.append(back_again(archiver, DEAD, names, f"back: {count} owed to it"))
    rows.append(alone(protected, count))
    return rows


def stalled(what: str, protected: Protected, archiver: Archiver, limit_s: float) -> Row:
    """Push one segment natively while a region is dead."""
    times = native(protected, archiver.keep_segments(1), limit_s)
    return row(what, times, unanswered=int(times[0] >= limit_s * 1000))


def alone(protected: Protected, count: int) -> Row:
    """Measure the program and the archiver without what the engine costs."""
    site = json.loads(protected.home.site.read_text())
    site["engine"] = "/bin/true"
    protected.home.site.write_text(json.dumps(site))
    with archiving(protected, "--metrics-port", "0") as archiver:
        times = ours(archiver, archiver.keep_segments(count))
    return row("ours, program and archiver alone", times, GOAL_ALONE_MS)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="20 segments, 20 s of patience")
    parser.add_argument("--runs", type=int, default=3, help="Median of so many.")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    parser.add_argument("--patience", type=float, default=130.0, help="Seconds, with a dead one.")
    options = parser.parse_args()
    count, limit_s = (20, 20.0) if options.small else (100, options.patience)
    runs, states = [], [machine()]
    for _ in range(options.runs):
        with destinations(*NAMES) as protected:
            runs.append(measure(protected, count, limit_s))
        states.append(machine())
    rows = over_runs(runs)
    if options.output == "json":
        print(json.dumps({"machine": states, "rows": rows}, indent=2))
    else:
        for one in rows:
            print(f"{one['what']:<34}{one['segments']:>4}  {told(one)}")
        print(json.dumps(states))
    sys.exit(any(one.get("met") is False for one in rows))


if __name__ == "__main__":
    main()
