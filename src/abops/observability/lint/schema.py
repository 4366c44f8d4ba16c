"""Boards against Grafana's own types: a misspelt field is ignored by Grafana, and missed by people.

The schema is generated from Grafana's package (`tools/dashboard-schema`) and committed.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError, best_match

from abops.observability.lint.model import Finding

_PANEL, _ROW = 0, 1
"""Places of the two kinds in the schema's choice."""
_LONG: Final = 160


def schema_findings(
    schema: Mapping[str, Any], boards: Mapping[str, Mapping[str, Any]]
) -> tuple[Finding, ...]:
    """Return where boards, by file, are not as Grafana's types say."""
    validator = Draft7Validator(schema)
    return tuple(
        Finding(
            file,
            _place(board, error),
            "board-schema",
            error.message if len(error.message) < _LONG else f"{error.message[:_LONG]}...",
            "Set it as Grafana's types say, in boards/grafana.py.",
        )
        for file, board in boards.items()
        for outer in validator.iter_errors(board)
        for error in _inner(outer)
    )


def _inner(error: ValidationError) -> Iterator[ValidationError]:
    """Yield the errors within a panel, of the kind that the panel is."""
    if not error.context or not isinstance(error.instance, Mapping):
        yield best_match([error]) or error
        return
    kind = _ROW if error.instance.get("type") == "row" else _PANEL
    own = [one for one in error.context if one.relative_schema_path[0] == kind]
    for one in own or error.context:
        yield from _inner(one)


def _place(board: Mapping[str, Any], error: ValidationError) -> str:
    path = list(error.absolute_path)
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    found: Any = board
    title = ""
    for step in path:
        found = found[step]
        if isinstance(found, Mapping) and "title" in found and "type" in found:
            title = f" (panel {found['title']!r})"
    return f"{steps.lstrip('.')}{title}"
