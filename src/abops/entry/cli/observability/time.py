"""Whether every board opens in time."""

from pathlib import Path

import click

from abops.entry.cli.output import inventory_option, output_option, show
from abops.kernel.errors import OpsError


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
    rows = [
        {
            "board": load.uid,
            "panels": len(load.panels),
            "wall_s": round(load.wall_s, 2),
            "cpu_s": round(load.cpu_s, 2),
            "raw_wall_s": None if load.raw_wall_s is None else round(load.raw_wall_s, 2),
            "raw_cpu_s": None if load.raw_cpu_s is None else round(load.raw_cpu_s, 2),
            "empty": sum(not panel.series for panel in load.panels),
            "verdict": "; ".join(complaints(load)) or "ok",
        }
        for load in loads
    ]
    show(rows, output)
    bad = [row["board"] for row in rows if row["verdict"] != "ok"]
    if bad:
        raise BoardTooSlowError(
            f"{len(bad)} of {len(rows)} boards fail: {', '.join(map(str, bad))}"
        )
    slowest = max(loads, key=lambda load: load.wall_s)
    click.echo(
        f"{len(loads)}/{len(loads)} boards pass; slowest {slowest.uid}: {slowest.wall_s:.2f} s,"
        f" {slowest.cpu_s:.2f} CPU-s",
        err=output == "json",
    )
