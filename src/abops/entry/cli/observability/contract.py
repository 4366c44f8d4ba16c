"""What the exporters' metrics are called."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from abops.entry.cli.output import inventory_option, output_option, show
from abops.kernel.errors import OpsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from abops.observability.contract import Contract


class ContractDiffersError(OpsError):
    """An exporter no longer says what its contract holds."""

    hint = "Mend the rules that read it, then record it again."


@click.group()
def group() -> None:
    """Metric contracts: names, types and labels, recorded from real scrapes."""


def _source(command: "Callable[..., None]") -> "Callable[..., None]":
    for option in (
        click.option("--version", help="The exporter's version, where its metrics do not say it."),
        click.option("--prometheus", help="Ask the job's targets, as this Prometheus lists them."),
        click.option("--url", help="Ask this address."),
    ):
        command = option(command)
    return click.argument("job")(inventory_option(command))


@group.command()
@_source
def record(
    *, job: str, file: Path, url: str | None, prometheus: str | None, version: str | None
) -> None:
    """Record the contract of JOB, or of `all` jobs of a Prometheus."""
    from abops.kernel.files import write_atomic
    from abops.observability.contract import kept_up, write_contract
    from abops.workflows.contracts import FOLDER, contracts, jobs_of

    root = file.absolute().parent
    known = {contract.filename: contract for contract in contracts(root)}
    for one in jobs_of(prometheus) if job == "all" and prometheus else (job,):
        try:
            seen = _seen(one, url, prometheus, version)
        except UsageError as error:
            if job != "all":
                raise
            click.echo(f"{error}: left out; {error.hint}", err=True)
            continue
        now = kept_up(known.get(seen.filename), seen)
        write_atomic(root / FOLDER / now.filename, write_contract(now))
        click.echo(f"{FOLDER / now.filename}: {len(now.metrics)} series names")


@group.command()
@_source
@output_option
def diff(  # noqa: PLR0913 - where to look, and how to print
    *,
    job: str,
    file: Path,
    url: str | None,
    prometheus: str | None,
    version: str | None,
    output: str,
) -> None:
    """Compare what JOB says now with its newest recorded contract; exit 1 if a name is gone."""
    from abops.observability.contract import differences
    from abops.workflows.contracts import contracts

    kept = [c for c in contracts(file.absolute().parent) if c.job == job and c.source == "recorded"]
    if not kept:
        raise UsageError(f"no contract of {job!r} is recorded", hint="Record it first.")
    now = _seen(job, url, prometheus, version or kept[-1].version)
    found = differences(kept[-1], now)
    if found or output == "json":
        show([{"metric": one.metric, "difference": one.what} for one in found], output)
    broken = [one for one in found if not one.what.endswith("new")]
    if broken:
        raise ContractDiffersError(f"{len(broken)} differences from {kept[-1].filename}")
    click.echo(f"{len(now.metrics)} series names as in {kept[-1].filename}", err=output == "json")


def _seen(job: str, url: str | None, prometheus: str | None, version: str | None) -> "Contract":
    from abops.workflows.contracts import from_prometheus, from_url

    if prometheus:
        return from_prometheus(job, prometheus, version)
    if url:
        return from_url(job, url, version)
    raise UsageError("no address", hint="Give --url or --prometheus.")
