"""Whether every board opens in time."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.output import inventory_option, output_option, show
from abops.kernel.errors import OpsError

if TYPE_CHECKING:
    from abops.observability.timing.verdict import BoardLoad


class BoardTooSlowError(OpsError):
    """A board costs more than it may, or shows nothing."""

    hint = "Read a recorded series instead (catalogue/recordings.py), or ask for less."


@click.command()
@inventory_option
@click.option("--full", is_flag=True, help="3,571 series at 30 s instead of 1,000 at 60 s.")
@click.option("--raw", is_flag=True, help="Load each board once more without recorded series.")
@click.option("--record", metavar="URL", help="Only write the series of a running Prometheus.")
@output_option
def command(*, file: Path, full: bool, raw: bool, record: str | None, output: str) -> None:
    """Load every board over 24 h of history: under 2 s and 0.6 CPU-s each, no empty panel."""
    from abops.inventory.load import load_inventory
    from abops.observability.timing.verdict import complaints
    from abops.workflows import timing

    root = file.absolute().parent
    if record:
        count = timing.record(record, root / timing.SEEDS)
        click.echo(f"{count} series written to {timing.SEEDS}")
        return
    loads = timing.measure(
        load_inventory(file),
        root,
        timing.FULL if full else timing.QUICK,
        lambda text: click.echo(text, err=True),
        raw=raw,
    )
    show([_row(load) for load in loads], output)
    bad = [load.uid for load in loads if complaints(load)]
    if bad:
        raise BoardTooSlowError(f"{len(bad)} of {len(loads)} boards fail: {', '.join(bad)}")
    slowest = max(loads, key=lambda load: load.wall_s)
    click.echo(
        f"{len(loads)}/{len(loads)} boards pass; slowest {slowest.uid}: {slowest.wall_s:.2f} s,"
        f" {slowest.cpu_s:.2f} CPU-s",
        err=output == "json",
    )
    hollow = [load.uid for load in loads if not load.has_series]
    if hollow:
        click.echo(f"no series yet, so nothing is proved: {', '.join(hollow)}", err=True)


def _row(load: "BoardLoad") -> dict[str, object]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 2)

    from abops.observability.timing.verdict import complaints

    row: dict[str, object] = {
        "board": load.uid,
        "panels": len(load.panels),
        "wall_s": rounded(load.wall_s),
        "cpu_s": rounded(load.cpu_s),
    }
    if load.raw_cpu_s is not None:
        row |= {
            "raw_wall_s": rounded(load.raw_wall_s),
            "raw_cpu_s": rounded(load.raw_cpu_s),
            "raw_failed": load.raw_failed,
            "times_less": rounded(load.times_less),
        }
    sound = "ok" if load.has_series else "no series yet"
    return row | {
        "empty": sum(not panel.series for panel in load.panels),
        "verdict": "; ".join(complaints(load)) or sound,
    }
