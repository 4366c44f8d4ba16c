"""Whether the cases notice a rule that is a little wrong."""

import json
from pathlib import Path

import click

from abops.entry.cli.output import inventory_option, output_option, show
from abops.kernel.errors import OpsError, UsageError


class SurvivorsError(OpsError):
    """A changed rule passed all its cases."""

    hint = (
        "Add a case to the catalogue entry that tells them apart; if none can, list the mutant"
        " with its reason in tests/rules/equivalent.yml."
    )


class StaleEquivalentError(OpsError):
    """tests/rules/equivalent.yml excuses a mutant that does not survive."""

    hint = "Remove the entry."


@click.command()
@inventory_option
@click.option("--alert", "names", multiple=True, help="Only this alert or recorded series.")
@output_option
def command(file: Path, names: tuple[str, ...], output: str) -> None:
    """Change every rule in every small way: its cases must notice; exit 1 if one does not."""
    from abops.inventory.load import load_inventory
    from abops.kernel.clock import SystemClock
    from abops.observability.mutate.equivalent import read_allowed, stale, unexcused
    from abops.observability.mutate.suite import suites
    from abops.observability.promtests import promtool_files, recording_files
    from abops.stack.tools import find_tool
    from abops.workflows.mutation import try_mutants

    clock = SystemClock()
    began = clock.monotonic()
    listed = file.absolute().parent / "tests" / "rules" / "equivalent.yml"
    allowed = read_allowed(listed.read_text()) if listed.is_file() else ()
    inventory = load_inventory(file)
    known = suites(promtool_files(inventory) | recording_files(inventory))
    chosen = [suite for suite in known if not names or suite.is_about(names)]
    if not chosen:
        raise UsageError(f"no tested rule is called {', '.join(names)}", hint="See abops render.")
    tried = try_mutants(find_tool("promtool"), chosen)
    left = unexcused(tried.survivors, allowed)
    old = stale(tried.judged, tried.survivors, allowed, whole=not names)
    seconds = clock.monotonic() - began
    rows = [{"rule": m.suite, "mutation": m.words} for m in left]
    figures = {
        "mutants": len(tried.judged),
        "killed": len(tried.judged) - len(tried.survivors),
        "justified": len(tried.survivors) - len(left),
        "survived": len(left),
        "rules": len(chosen),
        "seconds": round(seconds, 1),
    }
    if output == "json":
        click.echo(json.dumps(figures | {"survivors": rows}, indent=2))
    elif rows:
        show(rows, output)
    said = (
        "{killed}/{mutants} mutants of {rules} rules killed, {justified} justified,"
        " {survived} survived; {seconds} s"
    ).format_map(figures)
    if left:
        raise SurvivorsError(said)
    if old:
        raise StaleEquivalentError(f"{old[0].rule}: {old[0].mutation} ({len(old)} in all)")
    click.echo(said, err=output == "json")
