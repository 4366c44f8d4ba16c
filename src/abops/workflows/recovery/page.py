"""The evidence of a rehearsal as one page for a browser: nothing to load, light and dark."""

import html
from collections.abc import Iterable, Sequence
from typing import Final

from abops.backup.drill.evidence import PHASES
from abops.workflows.recovery.page_style import STYLE
from abops.workflows.recovery.report import MARKS, Rehearsed, Report, Step
from abops.workflows.recovery.words import compared, seconds, target, told, verdict

_CLASSES: Final = {"met": "good", "failed": "act", "not run": "warn"}


def as_html(report: Report) -> str:
    """Return the page."""
    at = report.machine
    facts = [
        ("began", told(report.started)),
        ("took", seconds(report.ended - report.started)),
        ("machine", f"{at.cpus} CPUs, load {at.load_before:g} before and {at.load_after:g} after"),
        ("engine", f"pgBackRest {at.engine}"),
        ("database", f"PostgreSQL {at.postgres}"),
    ]
    state = "good" if not report.unmet else _CLASSES[_worst(report)]
    sections = "".join(map(_section, report.scenarios))
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Recovery rehearsal: {_text(verdict(report))}</title>\n<style>\n{STYLE}</style>\n"
        f'<main>\n<header><p class="kind">Recovery rehearsal {_text(report.id)}</p>'
        f'<h1 class="{state}">{_text(verdict(report))}</h1>{_facts(facts)}</header>\n'
        f"{_trials(report)}{_overview(report)}\n{sections}</main>\n</html>\n"
    )


def _worst(report: Report) -> str:
    states = {outcome for _, outcome, _ in report.unmet}
    return "failed" if "failed" in states else "not run"


def _trials(report: Report) -> str:
    if not report.trials:
        return ""
    rows = "".join(
        f'<tr><td>{_text(one.name)}</td><td class="{_CLASSES[one.outcome]}">'
        f'{_text(MARKS[one.outcome])}</td><td class="n">{one.seconds:.1f}</td>'
        f'<td class="wide">{_text(one.detail)}</td></tr>'
        for one in report.trials
    )
    return (
        '<table class="overview"><thead><tr><th>command</th><th>outcome</th>'
        '<th class="n">seconds</th><th class="wide">what it said</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>\n"
    )


def _overview(report: Report) -> str:
    rows = "".join(
        f'<tr><td><a href="#s{one.number}">{one.number} {_text(one.title)}</a></td>'
        f'<td class="{_CLASSES[one.outcome]}">{_text(MARKS[one.outcome])}</td>'
        f'<td class="n">{_measured(one, one.rto_s)}<small>{target(one.rto_target_s)}</small></td>'
        f'<td class="n">{_measured(one, one.rpo_s)}<small>{target(one.rpo_target_s)}</small></td>'
        f'<td class="wide">{_text(compared(one))}</td></tr>'
        for one in report.scenarios
    )
    return (
        '<table class="overview"><thead><tr><th>scenario</th><th>outcome</th>'
        '<th class="n">RTO<small>target</small></th><th class="n">RPO<small>target</small></th>'
        f'<th class="wide">compared</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _measured(one: Rehearsed, value: float | None) -> str:
    return "-" if one.outcome == "not run" else seconds(value)


def _section(one: Rehearsed) -> str:
    state = f'<span class="{_CLASSES[one.outcome]}">{_text(MARKS[one.outcome])}</span>'
    title = f"{one.number} {_text(one.title)}"
    parts = [f'<section id="s{one.number}"><h2>{title} {state}</h2>']
    if one.reason:
        parts.append(f'<p class="reason">{_text(one.reason)}</p>')
    if one.outcome != "not run":
        parts.append(_facts(_costs(one)))
    if one.steps:
        parts.append(_steps(one.steps, restores=not one.drills))
    if one.drills:
        parts.append(_drills(one))
    if one.checks:
        parts.append(_checks(one))
    return "\n".join([*parts, "</section>\n"])


def _costs(one: Rehearsed) -> list[tuple[str, str]]:
    facts = [
        ("time to recover", f"{seconds(one.rto_s)} of {target(one.rto_target_s)}"),
        ("work lost", f"{seconds(one.rpo_s)} of {target(one.rpo_target_s)}"),
        ("compared", compared(one)),
    ]
    if one.bytes:
        facts.append(("database", f"{one.bytes / 1e6:,.0f} MB"))
    return facts


def _steps(steps: Sequence[Step], *, restores: bool) -> str:
    """Show the lines as they ran, each with a bar that begins where the one before ended."""
    note = "the database serves again after the <b>filled</b> ones" if restores else ""
    total = sum(step.seconds for step in steps) or 1.0
    rows, before = [], 0.0
    for step in steps:
        kind = "failed" if step.code else "counts" if step.counts else "after"
        rows.append(
            f'<tr class="{kind}"><td><code>{_code(step.line)}</code></td>'
            f'<td class="n">{step.seconds:.1f}</td><td class="bars">'
            f'<i style="margin-left:{before / total:.2%};width:{step.seconds / total:.2%}"></i>'
            "</td></tr>"
        )
        before += step.seconds
    return (
        '<table class="steps"><thead><tr><th>line of the playbook</th><th class="n">seconds</th>'
        f'<th class="bars">{note}</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _drills(one: Rehearsed) -> str:
    longest = max((drill.rto_s for drill in one.drills), default=0.0) or 1.0
    rows = []
    for drill in one.drills:
        bars = "".join(
            f'<i class="p{index}" title="{name} {drill.phases.get(name, 0.0):.1f} s" '
            f'style="width:{drill.phases.get(name, 0.0) / longest:.2%}"></i>'
            for index, name in enumerate(PHASES)
        )
        kind = "the latest point" if drill.kind == "latest" else "a moment"
        state = "good" if drill.outcome == "success" else "act"
        rows.append(
            f"<tr><td>{_text(drill.destination)}, {kind}</td>"
            f'<td class="{state}">{drill.outcome}</td>'
            f'<td class="n">{seconds(drill.rto_s)}</td><td class="n">{seconds(drill.rpo_s)}</td>'
            f'<td class="n">{drill.tables}</td>'
            f'<td class="bars"><div class="phases">{bars}</div></td></tr>'
        )
    legend = "".join(f'<span><i class="p{n}"></i>{name}</span>' for n, name in enumerate(PHASES))
    return (
        '<table class="drills"><thead><tr><th>restored from, to</th><th>outcome</th>'
        '<th class="n">RTO</th><th class="n">RPO</th><th class="n">tables</th>'
        f'<th class="bars">by phase</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
        f'<p class="legend">{legend}</p>'
    )


def _checks(one: Rehearsed) -> str:
    states = {"passed": ("✓", "good"), "failed": ("●", "act"), "skipped": ("○", "warn")}
    rows = "".join(
        f'<tr><td class="{states[check.outcome][1]}">{states[check.outcome][0]} {check.outcome}'
        f"</td><td>{_text(check.claim)}</td><td>{_text(check.detail)}</td></tr>"
        for check in one.checks
    )
    return f'<table class="checks"><tbody>{rows}</tbody></table>'


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return (
        '<dl class="facts">'
        + "".join(f"<div><dt>{_text(k)}</dt><dd>{_text(v)}</dd></div>" for k, v in facts)
        + "</dl>"
    )


def _code(line: str) -> str:
    """Return a line that breaks between words only: an option that is cut reads like another."""
    return " ".join(f"<span>{_text(word)}</span>" for word in line.split())


def _text(text: str) -> str:
    return html.escape(text)
