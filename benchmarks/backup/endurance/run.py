"""Fifty planned backups under faults: how many are made, and is anything acknowledged lost.

Run: python benchmarks/backup/endurance/run.py [--small] [--rounds 25] [--every 50] [--seed 1]
[--output json]

A database under writes, two regions, archiver, scheduler; each process is started again when it
ends. The timetable wants a backup of each region every round; a second stands for a minute, also
in the pauses between attempts. Each round has a lasting fault and a sudden one, drawn by the seed.
At the end each region is restored and every table compared with the database, row by row; each
segment of log that PostgreSQL was told is kept is compared by its hash. Anything lost: exit 1.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from rig import machine  # noqa: E402 - found by the line above

# isort: split
from faults import LASTING, SUDDEN, bag, mend  # noqa: E402 - the folder of this file
from judging import (  # noqa: E402 - as above
    Loss,
    Outcome,
    Planned,
    handed_over,
    longest_without,
    outcomes,
    segments_lost,
    told,
)
from scene import Scene, scene_of, until_slot  # noqa: E402 - as above

from abops.kernel.clock import SystemClock  # noqa: E402 - as above
from support.backup import give_to_owner, run_as_owner  # noqa: E402 - the rig makes it importable
from support.servers import wait_until  # noqa: E402 - as above
from support.wal import Archiver  # noqa: E402 - as above

REGIONS = ("eu", "us")
GOAL = 0.999
CLOCK = SystemClock()


def endure(scene: Scene, rounds: int, seed: int) -> list[Planned]:
    """Go through the rounds; return the planned times and what was done at each."""
    draw = random.Random(seed)  # noqa: S311 - picks faults
    lasting, sudden = bag(draw, LASTING, rounds), bag(draw, SUDDEN, rounds)
    planned = []
    for number in range(rounds):
        slot = until_slot(scene.every_s, now)
        mend(scene)
        calls = [LASTING[lasting[number]], SUDDEN[sudden[number]]]
        with ThreadPoolExecutor(len(calls)) as pool:
            moments = [random.Random(draw.random()) for _ in calls]  # noqa: S311 - as above
            done = pool.map(lambda call, moment: call(scene, moment), calls, moments)
        faults = " and ".join(sorted(filter(None, done))) or "nothing"
        print(f"round {number + 1}: {faults}", file=sys.stderr, flush=True)
        planned += [Planned(name, slot, faults) for name in REGIONS]
    until_slot(scene.every_s, now)
    return planned


def now() -> float:
    """Return the seconds since 1970."""
    return CLOCK.now().timestamp()


def settle(scene: Scene) -> None:
    """Have everything that was handed over arrive."""
    scene.end()
    protected = scene.protected
    for region in protected.regions.values():
        region.ensure()
    base = protected.database
    status = base.data / "pg_wal/archive_status"
    wait_until(lambda: _answers(scene), timeout_s=60, what="the database answers")
    base.sql("SELECT pg_switch_wal()")
    wait_until(lambda: not [*status.glob("*.ready")], timeout_s=120, what="the log is handed over")
    protected.abops("wal", "drain", "--timeout", "120", timeout_s=180)


def _answers(scene: Scene) -> bool:
    try:
        return scene.protected.database.sql("SELECT 1") == "1"
    except AssertionError:
        return False


TABLES = (
    "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)


def content(psql: Sequence[object]) -> dict[str, str]:
    """Return count and hash of all rows of every table."""
    names = run_as_owner(*psql, TABLES).split()
    hashed = (
        "count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '')"
    )
    asked = {name: f"SELECT {hashed} FROM {name} t" for name in names}  # noqa: S608 - ours
    return {name: run_as_owner(*psql, question).strip() for name, question in asked.items()}


def restored(scene: Scene, name: str, live: dict[str, str]) -> str:
    """Restore a region to the end of its log; return what differs from the database."""
    folder = Path(tempfile.mkdtemp(prefix="abops-new-"))
    give_to_owner(folder)
    programs = scene.protected.site.cluster.programs
    data = folder / "data"
    try:
        done = scene.protected.abops(
            "restore", "--to-dir", data, "--from", name, "--start", timeout_s=300
        )
        if done.returncode:
            return f"not restored: {done.stderr}"
        address = (data / "postmaster.pid").read_text().splitlines()
        psql = [programs / "psql", "-X", "-h", address[4], "-p", address[3], "-U", "analytic"]
        try:
            found = content([*psql, "-d", "postgres", "-Atqc"])
        finally:
            run_as_owner(programs / "pg_ctl", "-D", data, "-m", "immediate", "-s", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    wrong = [table for table, told in live.items() if found.get(table) != told]
    return f"{', '.join(wrong)} differ" if wrong else ""


def sets_of(scene: Scene, name: str) -> dict[str, str]:
    """Return the labels that a region lists, and the run that made each."""
    protected = scene.protected
    config = f"--config={protected.config(name)}"
    words = [protected.site.engine, config, "--log-level-console=off", "--output=json", "info"]
    listed = json.loads(run_as_owner(*words))[0]["backup"]
    return {one["label"]: one.get("annotation", {}).get("abops-run", "") for one in listed}


def damage_found(scene: Scene) -> int:
    """Verify once more; return of how many damages the catalog called the set broken."""
    scene.protected.abops("verify", timeout_s=300)
    mend(scene)
    return sum(one.found for one in scene.damages)


def lost(scene: Scene, found: Sequence[Outcome], sets: Mapping[str, Mapping[str, str]]) -> Loss:
    """Compare what was acknowledged with what is there."""
    protected = scene.protected
    base = protected.database
    psql = [protected.site.cluster.programs / "psql", "-X", "-h", base.socket, "-p", base.port]
    live = content([*psql, "-U", "analytic", "-d", "postgres", "-Atqc"])
    there = set(base.sql("SELECT id FROM written").split())
    handed = handed_over(scene.handed.read_text().splitlines())
    archiver = Archiver(protected)
    made = {
        name: {label for one in found if one.planned.destination == name for label in one.labels}
        for name in REGIONS
    }
    annotated = [(name, run) for name in REGIONS for run in sets[name].values()]
    return Loss(
        rows=sum(str(one) not in there for one in scene.writer.acknowledged),
        restored={name: restored(scene, name, live) for name in REGIONS},
        segments={name: segments_lost(handed, archiver.kept(name)) for name in REGIONS},
        sets={name: len(made[name] - sets[name].keys()) for name in REGIONS},
        doubles=sum(count - 1 for count in Counter(annotated).values()),
    )


def report(scene: Scene, found: Sequence[Outcome], loss: Loss) -> dict[str, object]:
    """Return what the run came to."""
    good = sum(one.good for one in found)
    return {
        "planned": len(found),
        "made": good,
        "at_once": sum(one.good and one.attempts == 1 for one in found),
        "after_more_attempts": sum(one.good and one.attempts > 1 for one in found),
        "success": round(good / len(found), 3),
        "goal": GOAL,
        "longest_without": longest_without(found),
        "made_and_noted_as_cut_off": sum(one.unnoted for one in found),
        "failed": told(found),
        "objects_damaged": len(scene.damages),
        "damage_found": damage_found(scene),
        "rows_acknowledged": len(scene.writer.acknowledged),
        "segments_handed_over": len(handed_over(scene.handed.read_text().splitlines())),
        "starts": {
            one.name: one.starts for one in (scene.scheduler, scene.archiver, scene.postmaster)
        },
        "lost": loss._asdict(),
        "lost_in_all": loss.count,
        "passed": not loss.count and not loss.doubles,
    }


def main() -> None:
    """Run it; exit 1 when something acknowledged is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="3 rounds: a check of this itself.")
    parser.add_argument("--rounds", type=int, default=25, help="Two planned backups each.")
    parser.add_argument("--every", type=int, default=50, help="Seconds of a round.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-logs", type=Path, help="Where the logs of everything go.")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    given = parser.parse_args()
    before, began = machine(), time.monotonic()
    with scene_of(given.every) as scene:
        try:
            scene.begin(given.seed)
            scene.schedule()
            wait_until(
                lambda: (
                    {run.destination for run in scene.runs() if run.state == "success"}
                    >= set(REGIONS)
                ),
                timeout_s=180,
                what="the first sets",
            )
            planned = endure(scene, 3 if given.small else given.rounds, given.seed)
            settle(scene)
            sets = {name: sets_of(scene, name) for name in REGIONS}
            found = outcomes(planned, scene.runs(), sets, given.every)
            result = report(scene, found, lost(scene, found, sets))
        finally:
            if given.keep_logs:
                shutil.copytree(scene.folder, given.keep_logs, dirs_exist_ok=True, ignore=_logs)
                shutil.copy(scene.protected.database.log, given.keep_logs)
                shutil.copy(scene.protected.home.catalog, given.keep_logs)
    result |= {"seed": given.seed, "minutes": round((time.monotonic() - began) / 60, 1)}
    result["machine"] = {"before": before, "after": machine()}
    if given.output == "json":
        print(json.dumps(result, indent=2))
    else:
        print(*(f"{key:22} {value}" for key, value in result.items()), sep="\n")
    sys.exit(0 if result["passed"] else 1)


def _logs(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_dir()]


if __name__ == "__main__":
    main()
