"""The business exporter."""

import os
from pathlib import Path

import click

from abops.entry.cli.output import inventory_option
from abops.kernel.errors import OpsError, UsageError


class PortTakenError(OpsError):
    """The port is taken."""

    hint = "Name another one with --port."


@click.command()
@inventory_option
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=9545, show_default=True)
@click.option("--interval", default="15s", show_default=True, help="Time between two readings.")
def command(file: Path, host: str, port: int, interval: str) -> None:
    """Serve users, posts, revenue, queues and PostgreSQL's own figures, until stopped.

    The addresses come from ABOPS_EXPORTER_DATABASE_URL (a role that only reads, with pg_monitor)
    and ABOPS_EXPORTER_REDIS_URL (the broker's database).
    """
    import signal

    from abops.clients.postgres import PostgresReader
    from abops.clients.redis import BrokerReader
    from abops.inventory.load import load_inventory
    from abops.kernel.clock import SystemClock
    from abops.kernel.logging import configure
    from abops.kernel.quantities import parse_duration
    from abops.observability.exporter import Database, Exporter, Queues, serve
    from abops.observability.postgres_stats import PostgresStatistics

    queues = [queue.name for queue in load_inventory(file).queues]
    address = _address("ABOPS_EXPORTER_DATABASE_URL")
    database = Database(PostgresReader(address))
    # A connection of its own: a statement that fails takes only its own source away.
    statistics = PostgresStatistics(PostgresReader(address))
    broker = Queues(BrokerReader(_address("ABOPS_EXPORTER_REDIS_URL")), queues)
    configure("abops-exporter")
    reading = Exporter([database, statistics, broker], SystemClock(), parse_duration(interval))
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
