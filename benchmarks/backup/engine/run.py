"""What backups cost and find, beside the naive way and beside the engine without us.

Run: python benchmarks/backup/engine/run.py [--small | --scale N] [--runs 3] [--only PART]
[--output json]

A real PostgreSQL with pgbench's tables and posts, two encrypted regions over TLS. Ours and what
it is compared with take turns in one run; medians, and ratios of them. A goal missed: exit 1.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from rig import (  # noqa: E402 - found by the line above
    destinations,
    machine,
    measured,
    servers_of,
    several_repositories,
    tree_cpu,
)

# isort: split
import damage  # noqa: E402 - found by the lines above
import judging  # noqa: E402 - as above
from costs import Cost  # noqa: E402 - as above
from judging import Row  # noqa: E402 - as above
from peers import Naive, Native, until_writable  # noqa: E402 - as above

from support.backup import ABOPS, Protected, give_to_owner, run_as_owner  # noqa: E402 - as above
from support.servers import wait_until  # noqa: E402 - as above
from support.wal import Archiver, archiving  # noqa: E402 - as above

SMALL, FULL = 5, 150
POSTS_PER_SCALE = 29_333
"""With them 3.6 GB at scale 150."""
JUDGED_FROM = 50
"""Below, what is the same for every size decides: ratios are shown and not judged."""
NAIVE, FETCH, INCREMENT, DEAD = 1.0, 0.4, 0.2, 1.1
RTO_S, RPO_S = 60.0, 120.0
TEST_S, DRILL_S, VALIDATE_S = 60.0, 60.0, 45.0
PATIENCE_S = 180
LIMIT_S = 3_600
Way = Callable[[], object]
PARTS = ("copies", "changes", "dead", "damage", "drills", "commands")


class Bench:
    """One protected database and what was measured of it."""

    def __init__(self, protected: Protected, archiver: Archiver, scale: int, runs: int) -> None:
        self.protected, self.archiver = protected, archiver
        self.scale, self.runs = scale, runs
        self.rows: list[Row] = []
        self.stored = 0
        self._servers = servers_of(protected)

    def fill(self) -> None:
        """Put the data in; the log of that goes nowhere, nothing of it is needed."""
        base = self.protected.database
        base.sql("ALTER SYSTEM SET archive_command = '/bin/true # pgbackrest'")
        base.sql("SELECT pg_reload_conf()")
        programs = self.protected.site.cluster.programs
        run_as_owner(
            *(programs / "pgbench", "-i", "-q", "-s", str(self.scale), "-h", base.socket),
            *("-p", str(base.port), "-U", "analytic", "postgres"),
            timeout_s=LIMIT_S,
        )
        for statement in data_of(self.scale):
            self.sql(statement)
        self.archiver.use()

    def sql(self, statement: str) -> str:
        """Run a statement, however long it takes."""
        base = self.protected.database
        return run_as_owner(
            *(self.protected.site.cluster.programs / "psql", "-X", "-h", base.socket),
            *("-p", str(base.port), "-U", "analytic", "-d", "postgres", "-Atq"),
            *("-v", "ON_ERROR_STOP=1", "-c", statement),
            timeout_s=LIMIT_S,
        ).strip()

    def cost(self, call: Callable[[], object]) -> Cost:
        """Return what a call costs once the log is quiet."""
        self.quiet()
        return measured(call, self._servers)

    def quiet(self) -> None:
        """Wait until nothing of the log is on its way."""
        folder = self.protected.database.data / "pg_wal/archive_status"
        wait_until(
            lambda: not [*folder.glob("*.ready")] and not self.archiver.owed("eu"),
            timeout_s=600,
            what="the log is archived",
        )

    def run(self, kind: str, name: str = "eu") -> int:
        """Make a backup; return the bytes that it stored."""
        done = self.protected.abops(
            *("run", "--type", kind, "--to", name, "--output", "json"), timeout_s=LIMIT_S
        )
        if done.returncode:
            raise SystemExit(f"no backup: {done.stderr}{done.stdout}")
        self.stored = json.loads(done.stdout)[0]["stored"]
        return self.stored

    def copies(self) -> None:
        """Compare full backups and restores with the naive way and the engine alone."""
        naive, native = Naive(self.protected, "eu"), Native(self.protected, "eu")
        saved = self.in_turns(
            {
                "naive": naive.save,
                "native": native.save,
                "native, zst-1": lambda: native.save("--compress-level=1"),
                "ours": lambda: self.run("full"),
            },
            self.cost,
        )
        # What the next restores take is a set of ours.
        self.run("full")
        fetched = self.in_turns(
            {
                "naive": naive.restored,
                "naive, no fsync": lambda: naive.restored(fsync="off"),
                "native": native.restored,
                "ours": self.ours_restored,
            },
            self.restored,
        )
        judged = self.scale >= JUDGED_FROM
        whole = self.sql("SELECT sum(pg_database_size(oid)) FROM pg_database")
        sizes = f"{int(whole) / 1e6:.0f} MB, stored {self.stored / 1e6:.0f} MB"
        self.rows += [
            Row("the cluster", f"{sizes}, naive {naive.size / 1e6:.0f} MB"),
            judging.cost_row("full, ours", saved["ours"]),
            judging.cost_row("full, the engine alone", saved["native"]),
            judging.cost_row("full, the engine alone, zst-1", saved["native, zst-1"]),
            judging.cost_row("full, naive", saved["naive"]),
            judging.ratio_row("full / naive", saved["ours"], saved["naive"], NAIVE, judged=judged),
            judging.ratio_row("  the engine alone / naive", saved["native"], saved["naive"]),
            judging.ratio_row("  with zst-1 / naive", saved["native, zst-1"], saved["naive"]),
            judging.ratio_row("full / the engine alone", saved["ours"], saved["native"]),
            judging.cost_row("fetch to promoted, ours", fetched["ours"]),
            judging.cost_row("fetch to promoted, the engine alone", fetched["native"]),
            judging.cost_row("restore, naive", fetched["naive"]),
            judging.cost_row("restore, naive without fsync", fetched["naive, no fsync"]),
            judging.ratio_row(
                "fetch to promoted / naive restore",
                fetched["ours"],
                fetched["naive"],
                FETCH,
                judged=judged,
            ),
        ]

    def in_turns(
        self, ways: Mapping[str, Way], cost: Callable[[Way], Cost]
    ) -> dict[str, list[Cost]]:
        """Return what each way costs. Each round begins with another.

        One leaves the next a warm cache, or a busy disk.
        """
        names = list(ways)
        found: dict[str, list[Cost]] = {name: [] for name in names}
        for turn in range(self.runs):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                found[name].append(cost(ways[name]))
        return found

    def restored(self, way: "Callable[[], object]") -> Cost:
        """Return what a way to restore costs; what came back is counted and thrown away."""
        wanted = self.sql("SELECT count(*), sum(views) FROM posts")
        context = way()
        got: list[object] = []
        own = self.cost(lambda: got.append(context.__enter__()))  # type: ignore[attr-defined]
        try:
            process, sql = _server_of(got[0])
            if sql("SELECT count(*), sum(views) FROM posts") != wanted:
                raise SystemExit(f"not what was saved: {way}")
            return own._replace(servers_s=own.servers_s + tree_cpu(process))
        finally:
            context.__exit__(None, None, None)  # type: ignore[attr-defined]

    @contextmanager
    def ours_restored(self) -> Iterator[tuple[int, Callable[[str], str]]]:
        """Restore by command, to a server that takes writes."""
        folder = Path(tempfile.mkdtemp(prefix="abops-new-"))
        give_to_owner(folder)
        data = folder / "data"
        programs = self.protected.site.cluster.programs
        done = self.protected.abops(
            "restore", "--to-dir", data, "--from", "eu", "--start", timeout_s=LIMIT_S
        )
        try:
            if done.returncode:
                raise SystemExit(f"not restored: {done.stderr}")
            told = (data / "postmaster.pid").read_text().splitlines()
            psql = [programs / "psql", "-X", "-h", told[4], "-p", told[3], "-U", "analytic"]
            yield (
                int(told[0]),
                lambda text: run_as_owner(*psql, "-d", "postgres", "-Atqc", text).strip(),
            )
            run_as_owner(programs / "pg_ctl", "-D", data, "-m", "immediate", "-s", "stop")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def changes(self) -> None:
        """Compare increments after changes of 2 % with a full set."""
        whole = self.run("full")
        accounts, posts = self.scale * 100_000, self.scale * POSTS_PER_SCALE
        kinds: dict[str, list[int]] = {"clustered": [], "scattered": []}
        times: list[Cost] = []
        for turn in range(self.runs):
            first, ids = accounts * (turn + 2) // 10, posts * (turn + 2) // 10
            self.update(
                f"aid BETWEEN {first} AND {first + accounts // 50 - 1}",
                f"id BETWEEN {ids} AND {ids + posts // 50 - 1}",
            )
            times.append(self.cost(lambda: kinds["clustered"].append(self.run("incr"))))
        for turn in range(self.runs):
            self.update(f"aid % 50 = {turn}", f"id % 50 = {turn}")
            self.cost(lambda: kinds["scattered"].append(self.run("incr")))
        told = "increment after 2 % changed"
        self.rows += [
            judging.cost_row(f"{told}, clustered", times),
            judging.size_row(f"{told}, clustered / full", kinds["clustered"], whole, INCREMENT),
            judging.size_row(f"{told}, scattered / full", kinds["scattered"], whole),
        ]

    def update(self, accounts: str, posts: str) -> None:
        """Change rows of both tables."""
        for statement in (
            f"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE {accounts}",  # noqa: S608
            f"UPDATE posts SET views = views + 1 WHERE {posts}",  # noqa: S608 - numbers of ours
        ):
            self.sql(statement)

    def dead(self) -> None:
        """Compare backups of a healthy region with one where the other is dead."""
        region = self.protected.regions["us"]
        normal = [self.cost(lambda: self.run("full")) for _ in range(self.runs)]
        self.rows.append(judging.cost_row("full to eu, both alive", normal))
        for state, harm in (("frozen", region.freeze), ("refusing", region.kill)):
            harm()
            try:
                found = [self.cost(lambda: self.run("full")) for _ in range(self.runs)]
                self.rows.append(
                    judging.ratio_row(f"full to eu, us {state} / both alive", found, normal, DEAD)
                )
                self.rows.append(self.several(state))
            finally:
                region.ensure()
            self.archiver.use()
            self.protected.abops("wal", "drain", "--timeout", "300", timeout_s=LIMIT_S)

    def several(self, state: str) -> Row:
        """Try the same by the engine's own mode of several repositories."""
        config = several_repositories(self.protected, ("eu", "us"))
        engine, stanza = self.protected.site.engine, self.protected.site.stanza
        words = f"{engine} --config={config} --stanza={stanza}"
        base = self.protected.database
        base.sql(f"ALTER SYSTEM SET archive_command = '{words} archive-push %p'")
        base.sql("SELECT pg_reload_conf()")
        argv = [*words.split(), "--repo=1", "--type=full", "--log-level-console=off", "backup"]
        ended: list[int] = []

        def call() -> None:
            ended.append(_code_within(argv, PATIENCE_S))

        cost = measured(call, self._servers)
        told = f"exit code {ended[0]}" if ended[0] >= 0 else "no answer"
        return Row(f"  one configuration of both, us {state}", f"{told} after {cost.wall_s:.0f} s")

    def drills(self) -> None:
        """Rehearse a restore from each destination, as each night does."""
        for name in ("eu", "us"):
            self.run("full", name)
        done = subprocess.run(  # noqa: S603 - our own program
            [ABOPS, "recovery", "drill", "--all", "--home", str(self.protected.home.folder)],
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        if done.returncode:
            self.rows.append(Row("drills", done.stderr.strip(), met=False))
        found = [
            json.loads(path.read_bytes()) for path in self.protected.home.drills.glob("*.json")
        ]
        self.rows += judging.drill_rows(found, RTO_S, RPO_S)

    def commands(self) -> None:
        """Time the commands that try themselves out, as a person would call them."""
        home = ("--home", str(self.protected.home.folder))
        drill = ("recovery", "drill", *home, "--destination", "eu")
        self.run("full")
        calls: tuple[tuple[str, Sequence[str], float], ...] = (
            ("backup run --test", ("backup", "run", "--test"), TEST_S),
            ("recovery drill --hurry", (*drill, "--hurry"), DRILL_S),
            # It waits until the log of the point has left by itself: archive_timeout and more.
            ("recovery drill", drill, DRILL_S),
            (
                "backup verify --validate",
                ("backup", "verify", *home, "--validate", "--to", "eu"),
                VALIDATE_S,
            ),
        )
        for what, words, limit_s in calls:
            seconds, good, said = [], True, ""
            for _ in range(self.runs):
                began, done = measured_command(words)
                seconds.append(began)
                good, said = good and done.returncode == 0, done.stderr.strip()[-200:]
            row = judging.time_row(f"abops {what}", seconds, limit_s, good=good)
            self.rows.append(row if good else row._replace(figure=f"{row.figure}: {said}"))


def data_of(scale: int) -> tuple[str, ...]:
    """Return what fills the table of posts: text that compresses like hashes, badly."""
    words = " || ' ' || ".join(f"md5((i * {prime})::text)" for prime in (3, 5, 7, 11, 13, 17))
    series = f"generate_series(1, {scale * POSTS_PER_SCALE}) i"
    rows = f"SELECT i, i % 997, 0, {words} FROM {series}"  # noqa: S608 - numbers of ours
    return (
        "CREATE TABLE posts (id bigint PRIMARY KEY, channel int, views int, body text)",
        f"INSERT INTO posts {rows}",
        "CREATE INDEX ON posts (channel)",
        "VACUUM (FREEZE, ANALYZE)",
        "SELECT pg_switch_wal()",
        "CHECKPOINT",
    )


def measured_command(words: Sequence[str]) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run abops; return how long it took and how it ended."""
    ended: list[subprocess.CompletedProcess[str]] = []
    cost = measured(
        lambda: ended.append(
            subprocess.run(  # noqa: S603 - our own program
                [ABOPS, *words], check=False, capture_output=True, text=True, timeout=LIMIT_S
            )
        ),
        lambda: 0.0,
    )
    return cost.wall_s, ended[0]


def _server_of(restored: object) -> tuple[int, Callable[[str], str]]:
    """Return process and door of a restored server, whoever restored it."""
    if isinstance(restored, tuple):
        return restored[0], restored[1]
    base = restored
    until_writable(base)  # type: ignore[arg-type] # the peers' are databases
    return base.process.pid, base.sql  # type: ignore[attr-defined]


def _code_within(argv: Sequence[str], limit_s: float) -> int:
    """Run a program as the owner; -1 when it does not end in time."""
    try:
        run_as_owner(*argv, timeout_s=limit_s)
    except subprocess.TimeoutExpired:
        return -1
    except AssertionError as error:
        return int(str(error).partition("ended with ")[2].partition(":")[0])
    return 0


def damaged(rounds: int) -> list[Row]:
    """Plant damage in a small repository of its own: finding it does not depend on size."""
    with destinations("eu", "us") as protected, archiving(protected) as archiver:
        damage.fill(protected, archiver)
        return judging.damage_rows(*damage.plant(protected, "eu", rounds))


def measure(scale: int, runs: int, parts: Sequence[str]) -> list[Row]:
    """Run everything that was asked for."""
    rows: list[Row] = []
    if set(parts) - {"damage"}:
        with destinations("eu", "us") as protected, archiving(protected) as archiver:
            bench = Bench(protected, archiver, scale, runs)
            bench.fill()
            for part in parts:
                if part != "damage":
                    getattr(bench, part)()
            rows += bench.rows
    if "damage" in parts:
        rows += damaged(rounds=1 if scale <= SMALL else 3)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help=f"Scale {SMALL}, the default.")
    parser.add_argument("--full", action="store_true", help=f"Scale {FULL}: 3.6 GB, 12 GB of disk.")
    parser.add_argument("--scale", type=int, default=SMALL, help="100,000 accounts each.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=PARTS, action="append", help="May be given again.")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    given = parser.parse_args()
    scale = FULL if given.full else given.scale
    before = machine()
    rows = measure(scale, given.runs, given.only or PARTS)
    state = {"scale": scale, "before": before, "after": machine()}
    if given.output == "json":
        print(json.dumps({"machine": state, "rows": [one._asdict() for one in rows]}, indent=2))
    else:
        for one in rows:
            mark = {None: "", True: "reached", False: "MISSED"}[one.met]
            print(f"{one.what:<44} {one.figure}  {one.goal}  {mark}".rstrip())
        print(json.dumps(state))
    sys.exit(any(one.met is False for one in rows))


if __name__ == "__main__":
    main()
