"""Backups of the database: make, keep, judge, restore. Each command is a module of this package."""

import click

from abops.entry.cli.lazy import LazyGroup

COMMANDS = {
    "mirror": "Copy what was verified to the mirrors.",
    "config": "Configuration and secrets, sealed in every destination: save, compare, bring back.",
    "doctor": "Whether all that backups need is there: versions, settings, clocks, space.",
    "verify": "Whether what was kept can be restored: objects, log, copies.",
    "retain": "Remove what the policy lets go; --dry-run shows what stays and why.",
    "expire": "The same as retain, by the engine's word.",
    "keep": "Keep a set by name, whatever the policy; or no longer.",
    "catalog": "The memory of what was made: have it again from the destinations' own words.",
    "rotate-key": "A new key for a destination, proven before it takes over.",
    "list": "Which backups there are, and what of each.",
    "run": "Make a backup in each destination now.",
    "schedule": "Make, verify, rehearse and save by the timetable; once, or until stopped.",
    "status": "How the protection stands: what each destination holds, how fresh it is.",
    "restore": "Restore the database into a folder, to a point in time.",
    "verify-restored": "Start a restored folder apart, check all of it, stop it.",
    "cutover": "Put a restored folder in the place of the live one and start it.",
    "failover": "Count on another destination while one is lost.",
    "failback": "Count on a destination again once it has caught up.",
    "wal": "The write-ahead log on its way: serve the archiver, see and pay what is owed.",
    "init": "Begin to protect a database: configurations, stanzas, what PostgreSQL must be told.",
}


@click.group(cls=LazyGroup, package=__name__, members=COMMANDS)
def group() -> None:
    """Backups of the database that are known to restore."""
