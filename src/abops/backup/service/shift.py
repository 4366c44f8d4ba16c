"""Giving a destination up for a while, and taking it back: what changes, decided over values.

After a failover nobody waits for who is away: restores and recovering servers do not ask it, the
log counts as kept without it, bundles of configuration go to the others, its mirrors hold still.
It is still sent the log, and still owed what it did not take, so that it can catch up. Taken back
it is only when it has: an empty queue, a log without holes, a set of after the loss that was
verified. Done twice, either changes nothing.
"""

from collections.abc import Collection, Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from abops.backup.model import SetFacts, Shift, Site, WalRules
from abops.backup.store.records import Check
from abops.kernel.errors import OpsError, UsageError


class FailoverRefusedError(OpsError):
    """Nobody would be better off."""

    hint = "See who answers and what there is: abops backup status"


class NotCaughtUpError(OpsError):
    """The destination has not caught up yet."""


class Met(Struct, frozen=True, kw_only=True):
    """How a destination answered when it was asked."""

    name: str
    answers: bool
    sets: int = 0
    reason: str = ""


class Change(Struct, frozen=True):
    """One thing, as it was and as it is."""

    what: str
    was: str
    now: str


class CaughtUp(Struct, frozen=True):
    """One condition of a failback."""

    claim: str
    outcome: Literal["yes", "no"]
    detail: str
    hint: str = ""


def give_up(
    site: Site, primary: str, met: Iterable[Met], now: float, *, named: Collection[str] = ()
) -> Site:
    """Let `primary` lead; away are those who do not answer, and those who are named."""
    found = {one.name: one for one in met}
    _refuse(site, found, primary, named)
    before = site.shift or Shift(primary=site.lead, before=site.lead, at=now)
    silent = {one.name for one in found.values() if not one.answers} | {*named}
    away = {
        name: before.away.get(name, now)
        for name in sorted({*before.away, *silent} - {primary})
        if name in found
    }
    shift = Shift(primary=primary, before=before.before, at=before.at, away=away)
    return replace(site, shift=None if _is_over(shift) else shift)


def _refuse(site: Site, found: dict[str, Met], primary: str, named: Collection[str]) -> None:
    unknown = [name for name in (primary, *named) if name not in found]
    if unknown:
        raise UsageError(
            f"no destination {', '.join(unknown)} makes backups here",
            hint=f"There are: {', '.join(found)}",
        )
    if primary in named:
        raise UsageError(f"{primary} cannot lead and be away")
    if not found[primary].answers:
        raise FailoverRefusedError(f"{primary} does not answer: {found[primary].reason}")
    if primary in site.away and found[site.lead].answers:
        raise FailoverRefusedError(
            f"{primary} is away and may lack what {site.lead} has, which answers",
            hint=f"abops backup failback {primary}",
        )
    if not found[primary].sets:
        raise FailoverRefusedError(
            f"{primary} holds no backup: nothing could be restored from there",
            hint=f"abops backup run --to {primary} --type full",
        )


def take_back(site: Site, name: str) -> Site:
    """Count on a destination again; who led before the failover leads again when it is the one."""
    shift = site.shift
    if shift is None:
        return site
    left = {other: at for other, at in shift.away.items() if other != name}
    primary = name if name == shift.before else shift.primary
    shift = replace(shift, primary=primary, away=left)
    return replace(site, shift=None if _is_over(shift) else shift)


def _is_over(shift: Shift) -> bool:
    return not shift.away and shift.primary == shift.before


def since(site: Site, name: str) -> float | None:
    """Return since when a destination is not what it was; None when nothing was changed."""
    shift = site.shift
    if shift is None:
        return None
    if name in shift.away:
        return shift.away[name]
    return shift.at if name == shift.before != shift.primary else None


def caught_up(name: str, met: Met, owed: int) -> tuple[CaughtUp, ...]:
    """Judge what can be seen without reading anything: it answers, nothing is owed to it."""
    return (
        _claim(
            f"{name} answers", holds=met.answers, detail=met.reason or f"{met.sets} sets", hint=""
        ),
        _claim(
            "nothing is owed to it",
            holds=owed == 0,
            detail=f"{owed} segments",
            hint=f"abops backup wal drain --to {name}",
        ),
    )


def verified_again(
    name: str, away_since: float, sets: Iterable[SetFacts], check: Check
) -> tuple[CaughtUp, ...]:
    """Judge what a verification of now found: no hole, and a good set of after the loss."""
    fresh = [one for one in sets if one.stopped > away_since]
    spoiled = {one.label for one in check.findings if one.severity == "critical"}
    good = [one.label for one in fresh if one.label not in spoiled]
    told = "; ".join(one.message for one in check.findings if one.severity == "critical")
    return (
        _claim(
            "its log has no hole",
            holds=check.gap_segments == 0,
            detail=f"{check.gap_segments} segments are missing",
            hint=f"abops backup run --to {name} --type full",
        ),
        _claim(
            "it has a set of after the loss",
            holds=bool(good),
            detail=good[-1] if good else "none" if not fresh else f"{fresh[-1].label} is damaged",
            hint=f"abops backup run --to {name}",
        ),
        _claim(
            "its verification finds nothing",
            holds=check.outcome == "success",
            detail=told or f"{check.invalid_objects} objects are damaged",
            hint=f"abops backup verify --to {name}",
        ),
    )


def _claim(claim: str, *, holds: bool, detail: str, hint: str) -> CaughtUp:
    return CaughtUp(claim, "yes" if holds else "no", detail, "" if holds else hint)


def changes(before: Site, after: Site) -> tuple[Change, ...]:
    """Return what a person wants to see of both: the whole of it, changed or not."""
    told = [
        (name, was, now) for (name, was), (_, now) in zip(_told(before), _told(after), strict=True)
    ]
    return tuple(Change(*row) for row in told)


def _told(site: Site) -> tuple[tuple[str, str], ...]:
    here = ", ".join(one.name for one in site.ordered if one.name not in site.away)
    mirrors = [one for one in site.destinations if one.role == "mirror"]
    return (
        ("leads", site.lead),
        ("away", ", ".join(sorted(site.away)) or "-"),
        ("restores ask", here),
        ("the log is kept by", _rules(site.log_rules)),
        ("configuration is saved in", here),
        *(
            (
                f"mirror {one.name}",
                f"holds still ({one.of} is away)" if one.of in site.away else f"copies {one.of}",
            )
            for one in mirrors
        ),
    )


def _rules(rules: WalRules) -> str:
    if rules.all:
        return "all"
    if rules.require:
        return " and ".join(rules.require)
    return f"any {rules.any or 1}"
