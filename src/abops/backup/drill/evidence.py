"""What a rehearsal leaves behind: one JSON for machines, Markdown and HTML for people.

The evidence is what an auditor asks for and what the next plan's estimate is made of.
"""

import html
from pathlib import Path
from typing import Final, Literal

import msgspec

from abops.backup.drill.checks import Checked
from abops.backup.model import Home
from abops.kernel.clock import moment
from abops.kernel.files import write_atomic

PHASES: Final = ("provision", "fetch", "replay", "promote", "checks")
Kind = Literal["latest", "time"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One rehearsed restore."""

    id: str
    destination: str
    generation: str
    label: str
    kind: Kind
    started: float
    ended: float
    outcome: Literal["success", "failed"]
    target: float
    """The moment that was to be reached; for the latest point, when the disaster was assumed."""
    rto_s: float
    rpo_s: float | None
    """Target minus the last row that came back; None when none did."""
    phases: dict[str, float]
    size: int
    segments: int
    point: str
    """The named point whose content was compared."""
    tables: int
    checks: tuple[Checked, ...]
    error: str = ""


def write_evidence(home: Home, found: Evidence) -> Path:
    """Write all three forms; return the path of the Markdown."""
    path = home.drills / f"{found.id}.json"
    write_atomic(path, msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    write_atomic(path.with_suffix(".md"), as_markdown(found))
    write_atomic(path.with_suffix(".html"), as_html(found))
    return path.with_suffix(".md")


def read_evidence(home: Home) -> tuple[Evidence, ...]:
    """Return all rehearsals of a home, old to new; what cannot be read is left out."""
    found = []
    for path in sorted(home.drills.glob("*.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Evidence))
        except (OSError, msgspec.MsgspecError):
            continue
    return tuple(sorted(found, key=lambda one: one.started))


def facts(found: Evidence) -> tuple[tuple[str, str], ...]:
    """Return what it says, as names and values."""
    return (
        ("outcome", found.outcome + (f": {found.error}" if found.error else "")),
        ("destination", f"{found.destination}, {found.generation}"),
        ("set", found.label),
        ("target", f"{found.kind}, {_told(found.target)}"),
        ("time to recover (RTO)", f"{found.rto_s:.1f} s"),
        ("work lost (RPO)", "unknown" if found.rpo_s is None else f"{found.rpo_s:.1f} s"),
        ("database", f"{found.size / 1e6:,.1f} MB, {found.segments} log segments"),
        ("compared", f"{found.tables} tables at {found.point}"),
        ("began", _told(found.started)),
        ("ended", _told(found.ended)),
    )


def as_markdown(found: Evidence) -> str:
    """Return it as a page."""
    lines = [f"# Restore drill {found.id}", "", "| what | is |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in facts(found)]
    lines += ["", "## Time", "", "| phase | seconds |", "|---|---:|"]
    lines += [f"| {name} | {found.phases.get(name, 0.0):.2f} |" for name in PHASES]
    lines += ["", "## Checks", "", "| claim | outcome | detail |", "|---|---|---|"]
    lines += [
        f"| {_cell(one.claim)} | {one.outcome} | {_cell(one.detail)} |" for one in found.checks
    ]
    return "\n".join(lines) + "\n"


def as_html(found: Evidence) -> str:
    """Return it as a page for a browser, with nothing to load."""
    total = sum(found.phases.values()) or 1.0
    bars = "".join(
        f'<tr><th scope="row">{name}</th><td class="n">{took:.2f} s</td>'
        f'<td><div class="b" style="width:{took / total:.1%}"></div></td></tr>'
        for name, took in ((name, found.phases.get(name, 0.0)) for name in PHASES)
    )
    about = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'
        for name, value in facts(found)
    )
    checks = "".join(
        f'<tr class="{one.outcome}"><td>{html.escape(one.claim)}</td><td>{one.outcome}</td>'
        f"<td>{html.escape(one.detail)}</td></tr>"
        for one in found.checks
    )
    return _PAGE.format(
        id=html.escape(found.id), outcome=found.outcome, about=about, bars=bars, checks=checks
    )


def _told(at: float) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M:%S} UTC"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Restore drill {id}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884 }}
th {{ font-weight: 500; width: 12rem }}
.n {{ text-align: right; width: 6rem; font-variant-numeric: tabular-nums }}
.b {{ background: #3273dc; height: .9rem; min-width: 1px }}
.failed td {{ color: #c0392b; font-weight: 600 }}
</style>
<h1>Restore drill {id}: {outcome}</h1>
<table>{about}</table>
<h2>Time</h2>
<table>{bars}</table>
<h2>Checks</h2>
<table><tr><th>claim</th><th>outcome</th><th>detail</th></tr>{checks}</table>
</html>
"""
