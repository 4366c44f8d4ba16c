"""Every rule wrong in every small way, judged by its own cases through promtool."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from msgspec import Struct

from abops.clients.promtool import Judge
from abops.kernel.errors import OpsError
from abops.observability.mutate.suite import Batch, Mutant, Suite, batches, controls, mutants
from abops.observability.mutate.verdict import Verdict, verdicts

FILES_A_CALL = 12
"""Test files for one promtool: enough to forget its start, few enough to share out evenly."""


class FailingCaseError(OpsError):
    """A case fails although nothing was changed."""

    hint = "Run `abops observability test`: it prints the case."


class Tried(Struct, frozen=True):
    """All mutants that were judged, and those that no case noticed."""

    judged: tuple[Mutant, ...]
    survivors: tuple[Mutant, ...]


def try_mutants(promtool: Path, tested: Sequence[Suite]) -> Tried:
    """Judge every mutant of the suites, on as many cores as there are."""
    judge = Judge(promtool)
    known = {suite.name: suite for suite in tested}
    judged = [mutant for suite in tested for mutant in mutants(suite)]
    sound = [control for suite in tested for control in controls(suite)]
    waiting = [*sound, *judged]
    survivors: list[Mutant] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        while waiting:
            again: list[Mutant] = []
            for results in pool.map(partial(_judged, judge), _shares(waiting, known)):
                for batch, verdict in results:
                    left = [m for n, m in batch.mutants.items() if n not in verdict.noticed]
                    (survivors if verdict.complete else again).extend(left)
            waiting = again
    failing = {id(control) for control in sound} - {id(mutant) for mutant in survivors}
    names = sorted({control.suite for control in sound if id(control) in failing})
    if names:
        raise FailingCaseError(f"a case fails as the rule is: {', '.join(names)}")
    order = {id(mutant): at for at, mutant in enumerate(judged)}
    return Tried(
        tuple(judged),
        tuple(sorted((m for m in survivors if id(m) in order), key=lambda m: order[id(m)])),
    )


def _shares(waiting: Sequence[Mutant], known: Mapping[str, Suite]) -> list[list[Batch]]:
    """Return the batches of these mutants, a few for each call of promtool."""
    by_suite: dict[str, list[Mutant]] = {}
    for mutant in waiting:
        by_suite.setdefault(mutant.suite, []).append(mutant)
    made = [batch for name, own in by_suite.items() for batch in batches(known[name], own)]
    return [made[at : at + FILES_A_CALL] for at in range(0, len(made), FILES_A_CALL)]


def _judged(judge: Judge, share: Sequence[Batch]) -> list[tuple[Batch, Verdict]]:
    with tempfile.TemporaryDirectory(prefix="abops-mutants-") as name:
        folder = Path(name)
        for batch in share:
            (folder / batch.name).write_text(batch.tests)
            (folder / batch.name.replace(".test.yml", ".rules.yml")).write_text(batch.rules)
        said = judge.opinion("test", "rules", *(batch.name for batch in share), cwd=folder)
    found = verdicts(said, {batch.name: batch for batch in share})
    return [(batch, found[batch.name]) for batch in share]
