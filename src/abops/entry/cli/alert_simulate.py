"""`abops alerts simulate`: rehearsals that nobody is woken up by."""

import click

from abops.entry.cli.alert_duty import escalation
from abops.entry.cli.alert_simulate_storm import storm


@click.group()
def simulate() -> None:
    """Rehearse what must work when it counts, with a service and channels of its own."""


simulate.add_command(escalation)
simulate.add_command(storm)
