"""How figures of a rehearsal are told, the same on the terminal, in Markdown and on the page."""

from collections.abc import Mapping

from abops.kernel.clock import moment
from abops.kernel.quantities import humanize_seconds
from abops.workflows.recovery.report import MARKS, Rehearsed, Report


def told(at: float) -> str:
    """Return a moment."""
    return f"{moment(at):%Y-%m-%d %H:%M:%S} UTC"


def seconds(value: float | None) -> str:
    """Return a duration that was measured."""
    if value is None:
        return "not known"
    return f"{value:.1f} s" if value < 600 else humanize_seconds(value)  # noqa: PLR2004 - ten minutes


def target(value: float | None) -> str:
    """Return what something may take."""
    if value is None:
        return "no target"
    return humanize_seconds(value) if value else "0"


def compared(one: Rehearsed) -> str:
    """Return what was compared."""
    if not one.tables:
        return "-"
    rows = f", {one.rows:,} rows" if one.rows else " each"
    return f"{one.tables} tables{rows}"


def verdict(report: Report) -> str:
    """Return the whole of it in one line."""
    line = f"{len(report.outcomes) - len(report.unmet)} of {len(report.outcomes)} met"
    for state in ("failed", "not run"):
        these = [name for name, outcome, _ in report.unmet if outcome == state]
        if these:
            line += f"; {state}: {', '.join(these)}"
    return line


def all_rows(report: Report) -> list[dict[str, object]]:
    """Return a row for each command and each scenario, in one form."""
    tried = [
        {
            "check": one.name,
            "outcome": MARKS[one.outcome],
            "seconds": round(one.seconds, 1),
            "detail": one.detail or "-",
        }
        for one in report.trials
    ]
    return tried + [
        {
            "check": f"scenario {one.number}: {one.title}",
            "outcome": MARKS[one.outcome],
            "seconds": round(one.ended - one.started, 1),
            "detail": one.reason or _cost(one),
        }
        for one in report.scenarios
    ]


def _cost(one: Rehearsed) -> str:
    return f"RTO {seconds(one.rto_s)}, RPO {seconds(one.rpo_s)}, {compared(one)}"


def rows(report: Report) -> list[dict[str, object]]:
    """Return a row for each scenario."""
    return [
        {
            "scenario": f"{one.number} {one.title}",
            "outcome": MARKS[one.outcome],
            "rto": seconds(one.rto_s) if one.outcome != "not run" else "-",
            "rto_target": target(one.rto_target_s),
            "rpo": seconds(one.rpo_s) if one.outcome != "not run" else "-",
            "rpo_target": target(one.rpo_target_s),
            "compared": compared(one),
            "reason": one.reason or "-",
        }
        for one in report.scenarios
    ]


def as_markdown(report: Report) -> str:
    """Return it as a page of Markdown."""
    at = report.machine
    where = (
        f"{told(report.started)} to {told(report.ended)}; {at.cpus} CPUs, load {at.load_before:g} "
        f"before, {at.load_after:g} after; pgBackRest {at.engine}, PostgreSQL {at.postgres}."
    )
    lines = [f"# Recovery rehearsal {report.id}: {verdict(report)}", "", where, ""]
    if report.trials:
        lines += [*_table([_texts(row) for row in all_rows(report)[: len(report.trials)]]), ""]
    lines += _table([_texts(row) for row in rows(report)])
    for one in report.scenarios:
        lines += ["", f"## {one.number} {one.title}: {one.outcome}", ""]
        lines += [one.reason, ""] if one.reason else []
        if one.steps:
            lines += _table(
                [
                    {
                        "line": f"`{step.line}`",
                        "seconds": f"{step.seconds:.1f}",
                        "in RTO": _yes(step.counts),
                    }
                    for step in one.steps
                ]
            )
            lines.append("")
        if one.drills:
            lines += [*_table(drill_rows(one)), ""]
        if one.checks:
            lines += _table(
                [
                    {"claim": check.claim, "outcome": check.outcome, "detail": check.detail}
                    for check in one.checks
                ]
            )
    return "\n".join(lines).rstrip() + "\n"


def drill_rows(one: Rehearsed) -> list[dict[str, str]]:
    """Return a row for each destination and kind."""
    return [
        {
            "destination": drill.destination,
            "to": "the latest point" if drill.kind == "latest" else "a moment",
            "outcome": drill.outcome,
            "rto": seconds(drill.rto_s),
            "rpo": seconds(drill.rpo_s),
            "tables": str(drill.tables),
            **{name: f"{took:.1f}" for name, took in drill.phases.items()},
        }
        for drill in one.drills
    ]


def _texts(row: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in row.items()}


def _yes(value: bool) -> str:  # noqa: FBT001 - it is a word for it
    return "yes" if value else "no"


def _table(found: list[dict[str, str]]) -> list[str]:
    names = list(found[0])
    lines = [
        f"| {' | '.join(name.replace('_', ' ') for name in names)} |",
        "|---" * len(names) + "|",
    ]
    return lines + [
        f"| {' | '.join(_cell(row.get(name, '')) for name in names)} |" for row in found
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
