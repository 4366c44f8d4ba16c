"""Rules, boards, signals: check and test them. Each command is a module of this package."""

import click

from abops.entry.cli.lazy import LazyGroup

COMMANDS = {
    "check": "Judge the rendered files: promtool, amtool, a runbook and a test for each alert.",
    "contract": "Record what exporters' metrics are called, and compare.",
    "coverage": "Weigh what each component needs against what watches it.",
    "logs": "Search the log store, compare it with the files, keep it small.",
    "exporter": "Serve users, posts, revenue and queues as metrics.",
    "mutate": "Change every rule in every small way: its cases must notice.",
    "time": "Load every board over a day of history: within 2 s and 0.6 CPU-s.",
    "slo": "What is promised: explain an objective, show how each stands.",
    "grafana-smoke": "Ask a Grafana for its health, the boards, and one query.",
    "smoke": "Use each path of a running environment once: metrics, traces, logs, boards.",
    "test": "Run all cases: alerts fire only when they must, series are right.",
}


@click.group(cls=LazyGroup, package=__name__, members=COMMANDS)
def group() -> None:
    """Rules, boards, routes and exporters."""
