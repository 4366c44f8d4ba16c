"""What a rehearsal showed, as values: each line with its time, what it cost, what was compared."""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from abops.backup.drill.checks import Checked, judge
from abops.backup.drill.evidence import Evidence
from abops.backup.model import Site

Outcome = Literal["met", "failed", "not run"]
MARKS: Final[dict[Outcome, str]] = {"met": "✓ met", "failed": "● failed", "not run": "○ not run"}


class Step(Struct, frozen=True, kw_only=True):
    """One line of the playbook, or what a supervisor did meanwhile."""

    line: str
    seconds: float
    code: int = 0
    counts: bool = True
    """It is part of the time until the database serves again."""
    told: str = ""
    """Its last words, when it failed."""


class Rehearsed(Struct, frozen=True, kw_only=True):
    """One scenario."""

    number: int
    title: str
    outcome: Outcome
    reason: str = ""
    started: float = 0.0
    ended: float = 0.0
    rto_s: float | None = None
    rto_target_s: float | None = None
    rpo_s: float | None = None
    rpo_target_s: float | None = None
    steps: tuple[Step, ...] = ()
    checks: tuple[Checked, ...] = ()
    tables: int = 0
    rows: int = 0
    bytes: int = 0
    """Of the database."""
    drills: tuple[Evidence, ...] = ()
    """Of scenario 5: each destination, latest and a moment."""


class Tried(Struct, frozen=True, kw_only=True):
    """One command, or a few that belong together, tried on a throw-away setting."""

    name: str
    outcome: Outcome
    seconds: float = 0.0
    detail: str = ""


class Machine(Struct, frozen=True, kw_only=True):
    """On what it was measured: figures mean nothing without it."""

    cpus: int
    load_before: float
    load_after: float
    engine: str
    postgres: str


class Report(Struct, frozen=True, kw_only=True):
    """Everything that was rehearsed in one go."""

    id: str
    started: float
    ended: float
    scenarios: tuple[Rehearsed, ...]
    machine: Machine
    trials: tuple[Tried, ...] = ()

    @property
    def outcomes(self) -> tuple[tuple[str, Outcome, str], ...]:
        """Return all that was tried: its name, how it ended, why."""
        return (
            *((one.name, one.outcome, one.detail) for one in self.trials),
            *((f"scenario {one.number}", one.outcome, one.reason) for one in self.scenarios),
        )

    @property
    def unmet(self) -> tuple[tuple[str, Outcome, str], ...]:
        """Return what failed or was not run: neither is met."""
        return tuple(one for one in self.outcomes if one[1] != "met")


def judged(one: Rehearsed) -> Rehearsed:
    """Return it with its outcome, from its steps, its checks and its targets."""
    wrong = [
        f"`{step.line}` ended with {step.code}: {step.told}" for step in one.steps if step.code
    ]
    wrong += [
        f"not true: {check.claim} ({check.detail})"
        for check in one.checks
        if check.outcome == "failed"
    ]
    wrong += over(one)
    return replace(one, outcome="failed" if wrong else "met", reason="; ".join(wrong))


def over(one: Rehearsed) -> list[str]:
    """Say which target was missed."""
    missed = []
    for name, took, most in (
        ("RTO", one.rto_s, one.rto_target_s),
        ("RPO", one.rpo_s, one.rpo_target_s),
    ):
        if most is not None and took is None:
            missed.append(f"{name} is not known")
        elif most is not None and took is not None and took > most:
            missed.append(f"{name} {took:.1f} s is over {most:.0f} s")
    return missed


def report_of_drills(drills: Sequence[Evidence], site: Site, at: Machine) -> Report:
    """Return what the drills of a home come to, by its own targets: scenario 5 of a report."""
    lost = [one.rpo_s for one in drills if one.rpo_s is not None]
    one = judged(
        Rehearsed(
            number=5,
            title="are the targets met?",
            outcome="failed",
            started=min(one.started for one in drills),
            ended=max(one.ended for one in drills),
            rto_s=max(one.rto_s for one in drills),
            rpo_s=max(lost) if len(lost) == len(drills) else None,
            rto_target_s=site.targets.rto_s,
            rpo_target_s=site.targets.rpo_s,
            checks=tuple(
                judge(
                    f"{one.destination}, {one.kind}: restored and equal", not one.error, one.error
                )
                for one in drills
            ),
            tables=min(one.tables for one in drills),
            bytes=max(one.size for one in drills),
            drills=tuple(drills),
        )
    )
    return Report(
        id=drills[0].id, started=one.started, ended=one.ended, scenarios=(one,), machine=at
    )
