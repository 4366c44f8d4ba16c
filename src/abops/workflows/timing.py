"""The timing gate: every board over a day, against a real Prometheus filled for the purpose."""

import gzip
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import yaml

from abops.clients.prometheus import Prometheus
from abops.clients.prometheus_history import all_series, write_blocks
from abops.clients.promtool import Judge
from abops.inventory.model import Inventory
from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic
from abops.observability.boards import boards
from abops.observability.boards.grafana import grafana_json
from abops.observability.boards.model import Panel as Definition
from abops.observability.catalogue.recording import Recording
from abops.observability.catalogue.recordings import recordings
from abops.observability.panels.model import Board, Panel
from abops.observability.panels.read import read_board
from abops.observability.panels.variables import fill_query, window_variables
from abops.observability.panels.window import Span, window_of
from abops.observability.slo.groups import slo_recordings
from abops.observability.timing.history import (
    Seed,
    copies,
    expanded,
    levels,
    needed,
    openmetrics,
)
from abops.observability.timing.verdict import PARALLEL, BoardLoad, PanelLoad
from abops.stack.replay import Replay, replaying
from abops.stack.tools import find_tool

SEEDS: Final = Path("benchmarks/dashboard-load/series.jsonl.gz")
USUAL_NO_VALUE: Final = Definition("", "", "short", ()).no_value
DAY: Final = Span(datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC))
"""Any day: the same in every run."""
Say = Callable[[str], None]


class Fill(msgspec.Struct, frozen=True):
    """How much history: at least `series` raw series, a sample every `step_s` seconds."""

    series: int
    step_s: int


QUICK: Final = Fill(series=1000, step_s=60)
FULL: Final = Fill(series=3571, step_s=30)


class SeedsMissingError(OpsError):
    """There is no file of series to make history from."""

    hint = "Record one from a running stack: abops observability time --record URL."


def record(url: str, path: Path) -> int:
    """Write the series of a running Prometheus to `path`; return how many there are."""
    lines = sorted(msgspec.json.encode(one) for one in all_series(url))
    write_atomic(path, gzip.compress(b"\n".join(lines) + b"\n", mtime=0))
    return len(lines)


def measure(
    inventory: Inventory, root: Path, fill: Fill, say: Say, *, raw: bool = False
) -> tuple[BoardLoad, ...]:
    """Fill a Prometheus with a day, load every board, and return what each cost.

    With `raw`, each board is loaded once more with its recorded series computed on the spot.
    """
    definitions = [read_board(grafana_json(board).encode()) for board in boards(inventory)]
    known = (*recordings(inventory), *slo_recordings(inventory))
    recorded = {one.record: one.expr for one in known}
    with (
        _filled(root / SEEDS, definitions, known, fill, say) as data,
        replaying(data) as prometheus,
    ):
        say("loading every board over 24 h")
        loads = [_load(board, prometheus) for board in definitions]
        if not raw:
            return tuple(loads)
        say("loading them again without recorded series")
        return tuple(
            _with_raw(load, _load(_unrecorded(board, recorded), prometheus))
            for load, board in zip(loads, definitions, strict=True)
        )


@contextmanager
def _filled(
    seeds_file: Path, shown: list[Board], known: Sequence[Recording], fill: Fill, say: Say
) -> Iterator[Path]:
    """Give a folder of blocks with a day of raw and recorded series."""
    exprs = [t.expr for b in shown for row in b.rows for p in row.panels for t in p.targets]
    names = needed([*exprs, *(one.expr for one in known)], {})
    seeds = copies([seed for seed in _read(seeds_file) if seed.name in names], fill.series)
    start, end = int(DAY.start.timestamp()), int(DAY.end.timestamp())
    promtool = Judge(find_tool("promtool"))
    with TemporaryDirectory(prefix="abops-time-") as scratch:
        data = Path(scratch) / "data"
        data.mkdir()
        say(f"{len(seeds)} series, a sample every {fill.step_s} s for 24 h")
        lines = openmetrics(seeds, start, end, fill.step_s)
        write_blocks(promtool, lines, Path(scratch) / "history.om", data)
        for number, ready in enumerate(levels(known), 1):
            say(f"recorded series, pass {number}: {len(ready)}")
            _record_pass(ready, promtool, data, fill.step_s)
        yield data


def _record_pass(rules: Sequence[Recording], promtool: Judge, data: Path, step: int) -> None:
    start, end = int(DAY.start.timestamp()), int(DAY.end.timestamp())
    file = data.parent / "pass.yml"
    group = {
        "name": "pass",
        "rules": [
            {"record": rule.record, "expr": rule.expr, "labels": dict(rule.labels)}
            for rule in rules
        ],
    }
    file.write_text(yaml.safe_dump({"groups": [group]}))
    with replaying(data) as prometheus:
        promtool.check(
            "tsdb", "create-blocks-from", "rules", f"--start={start}", f"--end={end}",
            f"--eval-interval={step}s", f"--url={prometheus.url}",
            f"--output-dir={data}", str(file),
        )  # fmt: skip


def _read(path: Path) -> list[Seed]:
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise SeedsMissingError(f"{path}: {error}") from error
    decode = msgspec.json.Decoder(tuple[dict[str, str], float, float]).decode
    return [Seed(*decode(line)) for line in content.splitlines()]


def _load(board: Board, prometheus: Replay) -> BoardLoad:
    """Ask everything a board asks, six at once, as a browser does."""
    client = Prometheus(prometheus.url)
    panels = [p for row in board.rows for p in row.panels if p.targets]
    before_cpu, before = prometheus.cpu_s(), time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        loads = list(pool.map(lambda panel: _ask(client, board, panel), panels))
    return BoardLoad(
        board.uid,
        time.monotonic() - before,
        prometheus.cpu_s() - before_cpu,
        tuple(loads),
    )


def _unrecorded(board: Board, recorded: Mapping[str, str]) -> Board:
    replace = msgspec.structs.replace
    rows = tuple(
        replace(
            row,
            panels=tuple(
                replace(
                    panel,
                    targets=tuple(
                        replace(target, expr=expanded(target.expr, recorded))
                        for target in panel.targets
                    ),
                )
                for panel in row.panels
            ),
        )
        for row in board.rows
    )
    return replace(board, rows=rows)


def _with_raw(load: BoardLoad, raw: BoardLoad) -> BoardLoad:
    failed = sum(bool(panel.error) for panel in raw.panels)
    return msgspec.structs.replace(
        load, raw_wall_s=raw.wall_s, raw_cpu_s=raw.cpu_s, raw_failed=failed
    )


def _ask(client: Prometheus, board: Board, panel: Panel) -> PanelLoad:
    window = window_of(DAY, panel.width, scrape_s=panel.scrape_s)
    fixed = window_variables(window)
    began, series, failed = time.monotonic(), 0, ""
    for target in panel.targets:
        expr = fill_query(target.expr, board.variables, {}, fixed)
        try:
            if target.kind in {"instant", "table"}:
                series += client.count_at(expr, window.end)
            else:
                series += client.count_range(expr, window.start, window.end, window.step)
        except OpsError as error:
            failed = str(error)
    return PanelLoad(
        panel.title,
        time.monotonic() - began,
        series,
        may_be_empty=panel.no_value != USUAL_NO_VALUE,
        error=failed,
    )
