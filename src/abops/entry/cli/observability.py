"""Rules, routes and exporters: check and test them."""

import os
import tempfile
from pathlib import Path

import click

from abops.kernel.errors import OpsError, UsageError

_INVENTORY = click.option(
    "--inventory",
    "file",
    type=click.Path(path_type=Path),
    default=Path("platform.yaml"),
    show_default=True,
)


class UntestedAlertError(OpsError):
    """An alert has no runbook or no test that makes it fire."""

    hint = "Write both into its catalogue entry."


class PortTakenError(OpsError):
    """The port is taken."""

    hint = "Name another one with --port."


@click.group()
def group() -> None:
    """Rules, routes and exporters."""


@group.command()
@_INVENTORY
def check(file: Path) -> None:
    """Let promtool and amtool judge the rendered files; every alert needs a runbook and a test."""
    from abops.clients.promtool import Judge
    from abops.inventory.load import load_inventory
    from abops.observability.rules import catalogue
    from abops.stack.tools import find_tool

    folder = file.absolute().parent / "infrastructure" / "monitoring"
    promtool, amtool = Judge(find_tool("promtool")), Judge(find_tool("amtool"))
    alerts = catalogue(load_inventory(file))
    untested = [a.name for a in alerts if not any(case.fires for case in a.cases)]
    if untested:
        raise UntestedAlertError(f"never made to fire: {', '.join(untested)}")
    promtool.check("check", "config", "--syntax-only", str(folder / "prometheus/prometheus.yml"))
    promtool.check("check", "rules", *map(str, (folder / "prometheus/rules").glob("*.yml")))
    amtool.check("check-config", str(folder / "alertmanager/routes.yml"))
    click.echo(f"{len(alerts)} alert rules, configuration and routes are accepted")


@group.command()
@_INVENTORY
def test(file: Path) -> None:
    """Run every alert's cases through promtool: fires when it must, silent when it must not."""
    from abops.clients.promtool import Judge
    from abops.inventory.load import load_inventory
    from abops.observability.promtests import promtool_files
    from abops.observability.rules import catalogue
    from abops.stack.tools import find_tool

    inventory = load_inventory(file)
    with tempfile.TemporaryDirectory(prefix="abops-rules-") as folder:
        files = promtool_files(inventory)
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        tests = sorted(name for name in files if name.endswith(".test.yml"))
        Judge(find_tool("promtool")).check("test", "rules", *tests, cwd=Path(folder))
    cases = sum(len(alert.cases) for alert in catalogue(inventory))
    click.echo(f"{cases} cases of {len(tests)} alerts passed")


@group.command()
@_INVENTORY
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=9545, show_default=True)
@click.option("--interval", default="15s", show_default=True, help="Time between two readings.")
def exporter(file: Path, host: str, port: int, interval: str) -> None:
    """Serve users, posts, revenue and queues as metrics, until stopped.

    The addresses come from ABOPS_EXPORTER_DATABASE_URL (a role that only reads) and
    ABOPS_EXPORTER_REDIS_URL (the broker's database).
    """
    import signal

    from abops.clients.postgres import PostgresReader
    from abops.clients.redis import BrokerReader
    from abops.inventory.load import load_inventory
    from abops.kernel.clock import SystemClock
    from abops.kernel.logging import configure
    from abops.kernel.quantities import parse_duration
    from abops.observability.exporter import Database, Exporter, Queues, serve

    queues = [queue.name for queue in load_inventory(file).queues]
    database = Database(PostgresReader(_address("ABOPS_EXPORTER_DATABASE_URL")))
    broker = Queues(BrokerReader(_address("ABOPS_EXPORTER_REDIS_URL")), queues)
    configure("abops-exporter")
    reading = Exporter([database, broker], SystemClock(), parse_duration(interval))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: reading.stop())
    try:
        server, thread = serve(reading, host, port)
    except OSError as error:
        raise PortTakenError(f"{host}:{port}: {error.strerror}") from error
    reading.run()
    server.shutdown()
    thread.join()


def _address(variable: str) -> str:
    address = os.environ.get(variable)
    if not address:
        raise UsageError(f"{variable} is not set", hint=f"Set {variable} to the address to read.")
    return address
