"""Whether a Grafana has the boards and can fill them."""

import os
from pathlib import Path

import click

from abops.entry.cli.output import inventory_option


@click.command()
@inventory_option
@click.option("--url", envvar="GRAFANA_URL", required=True, help="Address of Grafana.")
def command(file: Path, url: str) -> None:
    """Ask a Grafana for its health, the boards of this platform, and one query.

    A token, when Grafana wants one, comes from GRAFANA_TOKEN.
    """
    from abops.clients.grafana import Grafana
    from abops.inventory.load import load_inventory
    from abops.observability.boards import boards
    from abops.workflows.signals_check import smoke

    uids = [board.uid for board in boards(load_inventory(file))]
    click.echo(smoke(Grafana(url, os.environ.get("GRAFANA_TOKEN")), uids))
