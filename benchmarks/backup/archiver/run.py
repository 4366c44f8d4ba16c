"""What a WAL segment costs PostgreSQL with three encrypted destinations, one of them dead.

Run: python benchmarks/backup/archiver/run.py [--small] [--output json]

Time is that of the program in archive_command, from its start to its end, one segment after the
other, as PostgreSQL calls it. Beside it pgBackRest's own mode of several repositories, in the same
run, on the same regions, with the same engine. Frozen: a region accepts connections and answers
nothing. Refusing: nobody listens. Then the region is back: how long until everything owed is there,
compared by SHA-1 with what PostgreSQL had. The program and the archiver alone: an engine that does
nothing.
"""

import argparse
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from abops.stack.programs import postgres_prefix  # noqa: E402 - as above
from support import backup  # noqa: E402 - found by the line above
from support.backup import (  # noqa: E402 - as above
    Protected,
    give_to_owner,
    protect,
    start_regions,
)
from support.wal import Archiver, archiving, sha1  # noqa: E402 - as above

NAMES = ("eu", "us", "ap")
DEAD = "us"
GOAL_MS, GOAL_ALONE_MS, GOAL_DRAIN_S = 500, 60, 30
Row = dict[str, object]


@contextmanager
def three_destinations(folder: Path) -> Iterator[Protected]:
    """Protect a database in three regions: the inventory's Azure becomes one that speaks S3."""
    text = (ROOT / "platform.yaml").read_text()
    third = "{type: s3, bucket: b, endpoint: h, region: ap, credentials: backup-ap}"
    (folder / "platform.yaml").write_text(re.sub(r"(?m)^    azure: .*$", f"    ap: {third}", text))
    # Commands read the inventory of the folder they are called in.
    backup.ROOT = folder
    with start_regions(folder / "regions", *NAMES) as regions, protect(regions) as protected:
        yield protected


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
    config = several_repositories(protected)
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


def several_repositories(protected: Protected) -> Path:
    """Write one configuration with all destinations, as pgBackRest itself would have it."""
    first, *others = (protected.config(name).read_text() for name in NAMES)
    head, _, cluster = first.partition(f"[{protected.site.stanza}]")
    for number, text in enumerate(others, 2):
        options = re.findall(r"(?m)^repo1-.*$", text)
        head += "".join(re.sub("^repo1", f"repo{number}", one) + "\n" for one in options)
    path = protected.home.folder / "several.conf"
    path.write_text(f"{head}[{protected.site.stanza}]{cluster}")
    path.chmod(0o600)
    give_to_owner(path)
    return path


def row(what: str, times: Sequence[float], goal: str = "", **more: object) -> Row:
    """Return a line of the table."""
    ordered = sorted(times)
    p95 = ordered[math.ceil(len(ordered) * 0.95) - 1]
    return {
        "what": what,
        "segments": len(times),
        "median_ms": round(statistics.median(times), 1),
        "p95_ms": round(p95, 1),
        "max_ms": round(max(times), 1),
        "goal": goal,
        **more,
    }


def back_again(archiver: Archiver, destination: str, names: Sequence[str], what: str) -> Row:
    """Have everything owed paid; compare what is there with what PostgreSQL had."""
    began = time.monotonic()
    done = archiver.protected.abops("wal", "drain", "--timeout", "120")
    seconds = time.monotonic() - began
    kept = archiver.kept(destination)
    whole = sum(kept.get(name) == [sha1(archiver.side / name)] for name in names)
    result = f"{seconds:.1f} s, {whole} of {len(names)} equal, exit code {done.returncode}"
    return row(what, [seconds * 1000], f"{GOAL_DRAIN_S} s for 100", result=result)


def measure(protected: Protected, count: int, limit_s: float) -> list[Row]:
    """Run everything; segments are made beforehand and archived by nobody else."""
    region, rows, goal = protected.regions[DEAD], [], f"p95 < {GOAL_MS} ms"
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
    ended = times[0] < limit_s * 1000
    return row(what, times, result="" if ended else f"no answer within {limit_s:g} s")


def alone(protected: Protected, count: int) -> Row:
    """Measure the program and the archiver without what the engine costs."""
    site = json.loads(protected.home.site.read_text())
    site["engine"] = "/bin/true"
    protected.home.site.write_text(json.dumps(site))
    with archiving(protected, "--metrics-port", "0") as archiver:
        times = ours(archiver, archiver.keep_segments(count))
    return row("ours, program and archiver alone", times, f"p95 <= {GOAL_ALONE_MS} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="20 segments, 20 s of patience")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    options = parser.parse_args()
    count, limit_s = (20, 20.0) if options.small else (100, 130.0)
    folder = Path(tempfile.mkdtemp(prefix="abops-bench-"))
    folder.chmod(0o755)
    try:
        (folder / "regions").mkdir()
        with three_destinations(folder) as protected:
            rows = measure(protected, count, limit_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.output == "json":
        print(json.dumps(rows, indent=2))
        return
    for one in rows:
        told = one.get("result") or (
            f"median {one['median_ms']} p95 {one['p95_ms']} max {one['max_ms']} ms"
        )
        print(f"{one['what']:<34}{one['segments']:>4}  {told}  {one['goal']}")


if __name__ == "__main__":
    main()
