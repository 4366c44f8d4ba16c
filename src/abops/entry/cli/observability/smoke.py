"""Whether the monitoring of a running environment works, path by path."""

import os
from pathlib import Path
from typing import Any

import click

from abops.entry.cli.local import url_option
from abops.entry.cli.output import inventory_option, output_option, show
from abops.kernel.errors import OpsError


class MonitoringBrokenError(OpsError):
    """A path of the monitoring does not work."""

    hint = "Each failed line above names the part; its log: abops stack logs PART."


@click.command()
@inventory_option
@url_option("prometheus", "prometheus", "Address of Prometheus.")
@url_option("alertmanager", "alertmanager", "Address of Alertmanager.")
@url_option("jaeger", "jaeger", "Address of Jaeger's query API.")
@url_option("otlp", "jaeger-otlp-http", "Address that takes spans over HTTP.")
@url_option("alerts", "alerts", "Address of the alert service.")
@click.option("--logs", envvar="ABOPS_LOGS_URL", help="Address of OpenSearch, where there is one.")
@click.option("--grafana", envvar="GRAFANA_URL", help="Address of Grafana, where there is one.")
@output_option
def command(file: Path, output: str, **addresses: Any) -> None:  # noqa: ANN401 (click's own)
    """Use each path once: health, scraping, rules, alerts, a span, log lines, boards."""
    from abops.inventory.load import load_inventory
    from abops.kernel.clock import SystemClock
    from abops.workflows.signals_check import Places, check_signals

    token = os.environ.get("GRAFANA_TOKEN")
    places = Places(**addresses, grafana_token=token)
    outcomes = list(check_signals(load_inventory(file), places, SystemClock()))
    marks = {"pass": "\N{CHECK MARK}", "fail": "\N{BLACK CIRCLE}", "skip": "-"}
    show(
        [
            {
                "": marks[one.state],
                "area": one.area,
                "check": one.check,
                "state": one.state,
                "seconds": round(one.seconds, 2),
                "what was seen": one.said,
            }
            for one in outcomes
        ],
        output,
    )
    failed = [one for one in outcomes if one.state == "fail"]
    passed = sum(one.state == "pass" for one in outcomes)
    said = f"{passed}/{len(outcomes)} checks passed, {len(outcomes) - passed - len(failed)} skipped"
    if failed:
        raise MonitoringBrokenError(f"{said}, {len(failed)} failed")
    click.echo(said, err=output == "json")
