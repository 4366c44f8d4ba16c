"""Where the evidence of a rehearsal stays: JSON for machines, Markdown and a page for people."""

from pathlib import Path

import msgspec

from abops.kernel.files import write_atomic
from abops.workflows.recovery.page import as_html
from abops.workflows.recovery.report import Report
from abops.workflows.recovery.words import as_markdown


def keep(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write all three forms; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"recovery-{report.id}.json"
    write_atomic(path, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomic(path.with_suffix(".md"), as_markdown(report))
    write_atomic(path.with_suffix(".html"), as_html(report))
    return path, path.with_suffix(".md"), path.with_suffix(".html")
