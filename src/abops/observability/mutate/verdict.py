"""What promtool says of a batch: which mutants a case noticed."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from abops.kernel.errors import OpsError
from abops.observability.mutate.suite import Batch

_FILE: Final = re.compile(r"^Unit Testing:\s+(\S+)$", re.MULTILINE)
_ALERT: Final = re.compile(r"^\s+alertname: (\S+), time:", re.MULTILINE)
_EXPR: Final = re.compile(r'^\s+expr: "(.+)", time:', re.MULTILINE)
_BROKEN: Final = re.compile(r"^\s*rule: (\S+), time: .*err:", re.MULTILINE)


class UnreadableVerdictError(OpsError):
    """promtool failed for another reason than a mutant."""

    hint = "Run `abops observability test` first: the cases must pass before they are mutated."


class Verdict(Struct, frozen=True):
    """The names of a batch that a case noticed, and whether all cases were asked of the rest.

    A rule that cannot be evaluated ends its test: the others have to be asked again without it.
    """

    noticed: frozenset[str]
    complete: bool


def verdicts(said: str, batches: Mapping[str, Batch]) -> dict[str, Verdict]:
    """Return the verdict on each test file from promtool's output."""
    parts = _FILE.split(said)
    spoken = dict(zip(parts[1::2], parts[2::2], strict=True))
    missing = sorted(batches.keys() - spoken.keys())
    if missing:
        raise UnreadableVerdictError(f"promtool did not judge {missing[0]}: {said[-400:]}")
    return {name: _verdict(batch, spoken[name]) for name, batch in batches.items()}


def _verdict(batch: Batch, said: str) -> Verdict:
    broken = {name for name in _BROKEN.findall(said) if name in batch.mutants}
    named = {name for name in _ALERT.findall(said) if name in batch.mutants}
    asked = " ".join(_EXPR.findall(said))
    named |= {name for name in batch.mutants if re.search(rf"(?<![\w:]){name}(?![\w:])", asked)}
    if "SUCCESS" not in said and not broken and not named:
        if len(batch.mutants) == 1:  # its case asks of another rule, or it is no rule at all
            return Verdict(frozenset(batch.mutants), complete=True)
        raise UnreadableVerdictError(f"{batch.name}: {said.strip()[-400:]}")
    rest = batch.mutants.keys() - broken - named
    return Verdict(frozenset(broken | named), complete=not (broken and rest))
