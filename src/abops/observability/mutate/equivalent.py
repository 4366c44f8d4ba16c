"""Mutants that may survive, each with its reason, and what is left to complain about."""

from collections.abc import Iterable, Sequence
from typing import Any

import yaml
from msgspec import Struct, ValidationError, convert

from abops.kernel.errors import OpsError
from abops.observability.mutate.suite import Mutant


class EquivalentFileError(OpsError):
    """tests/rules/equivalent.yml is not a list of `rule`, `mutation` and `reason`."""

    hint = "Write each entry with these three keys, all text."


class Allowed(Struct, frozen=True, forbid_unknown_fields=True):
    """A mutant that no case can notice. `rule` is an alert's or recorded series' name."""

    rule: str
    mutation: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        """Return whether this is the mutant: of a rule, or of one instance of it."""
        return self.mutation == mutant.words and self.rule in (mutant.rule, mutant.suite)


def read_allowed(text: str) -> tuple[Allowed, ...]:
    """Return the entries of equivalent.yml. Raises EquivalentFileError."""
    content: Any = yaml.load(text, Loader=yaml.CSafeLoader) or []
    try:
        entries = convert(content, tuple[Allowed, ...])
    except ValidationError as error:
        raise EquivalentFileError(f"tests/rules/equivalent.yml: {error}") from error
    for entry in entries:
        if not entry.reason.strip():
            raise EquivalentFileError(f"{entry.rule}, {entry.mutation}: the reason is empty")
    return entries


def unexcused(survivors: Iterable[Mutant], allowed: Sequence[Allowed]) -> tuple[Mutant, ...]:
    """Return the survivors without an entry."""
    return tuple(m for m in survivors if not any(entry.covers(m) for entry in allowed))


def stale(
    judged: Sequence[Mutant],
    survivors: Sequence[Mutant],
    allowed: Sequence[Allowed],
    *,
    whole: bool,
) -> tuple[Allowed, ...]:
    """Return the entries that excuse nothing any more.

    `whole`: every rule was judged, so an entry about a rule that is gone is stale as well.
    """
    known = {name for mutant in judged for name in (mutant.rule, mutant.suite)}
    return tuple(
        entry
        for entry in allowed
        if (whole or entry.rule in known) and not any(entry.covers(m) for m in survivors)
    )
