"""Deciding who is paged now and when to look again: pure, so that every edge can be tested.

A ladder is what is remembered of one incident's escalation. It is held against how the incident
stands, so that nothing is lost when an acknowledgement, its withdrawal and a timer come close
together or a restart lies between them: what counts is the order in which they are looked at.
"""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from abops.alerts.escalate.policy import offset_s, steps
from abops.alerts.model import DEFAULT_POLICY, Policy


class Ladder(Struct, frozen=True):
    """How far an incident's escalation has come."""

    t0: float
    """The first pageable moment."""
    step: int = 0
    """Steps taken: the next one is the level `step % levels`."""
    shift_s: float = 0.0
    """How much later than planned the steps come, since somebody had it in between."""
    acked_at: float | None = None
    """When somebody took it, while that counts."""
    policy: str = DEFAULT_POLICY
    """By which policy it escalates: its first critical alert's."""


class Standing(Struct, frozen=True):
    """What the decision needs to know of the incident and of what became of its pages."""

    acked_at: float | None = None
    """None: nobody takes care."""
    unaccepted_since: float | None = None
    """Since when the pages of the last level wait, none of them accepted. None: one was."""


class Action(Struct, frozen=True):
    """Something to be done now."""

    kind: Literal["page", "remind", "expire"]
    """Page a level's team, remind the chat, or take back an acknowledgement that is too old."""
    due: float
    level: int = 0
    """Counts from 1."""
    team: str = ""
    why: str = ""


class Decision(Struct, frozen=True):
    """What to do now, the ladder after it, and when to decide again."""

    actions: tuple[Action, ...]
    ladder: Ladder
    next_due: float


def escalate(ladder: Ladder, policy: Policy, standing: Standing, now: float) -> Decision:
    """Say what is due at `now`.

    Levels whose time has passed are all paged, each once, however long nobody looked.
    """
    ladder, expired = _follow_ack(ladder, policy, standing, now)
    if ladder.acked_at is not None:
        return Decision((), ladder, ladder.acked_at + policy.ack_expires_s)
    actions: dict[tuple[str, int], Action] = {}
    unaccepted = standing.unaccepted_since
    while (due := _due(ladder, policy, unaccepted)) <= now:
        action = _action(ladder, policy, due, unaccepted)
        actions[action.kind, action.level] = action
        if unaccepted is not None and due < _planned(ladder, policy):
            ladder = _brought_forward(ladder, policy, due)
        ladder = replace(ladder, step=ladder.step + 1)
        unaccepted = None  # the new level's pages have only just been queued
    return Decision((*expired, *actions.values()), ladder, _due(ladder, policy, unaccepted))


def merged(one: Ladder, other: Ladder) -> Ladder:
    """Return the ladder of two incidents that became one: the earlier one's."""
    return min(one, other, key=lambda ladder: (ladder.t0, -ladder.step))


def _follow_ack(
    ladder: Ladder, policy: Policy, standing: Standing, now: float
) -> tuple[Ladder, tuple[Action, ...]]:
    """Stop when somebody has taken it, go on when nobody has it any more."""
    acked_at = standing.acked_at
    if acked_at is not None:
        if now < acked_at + policy.ack_expires_s:
            return replace(ladder, acked_at=acked_at), ()
        since = acked_at + policy.ack_expires_s
        hours = policy.ack_expires_s / 3600
        expired = Action("expire", since, why=f"the acknowledgement is {hours:g} h old")
        return _resumed(ladder, policy, since), (expired,)
    if ladder.acked_at is not None:
        return _resumed(ladder, policy, now), ()
    return ladder, ()


def _resumed(ladder: Ladder, policy: Policy, since: float) -> Ladder:
    """Let the next step come five minutes after `since`, and the others as far apart as ever."""
    shift = since + policy.resume_after_s - ladder.t0 - offset_s(policy, ladder.step)
    return replace(ladder, shift_s=shift, acked_at=None)


def _brought_forward(ladder: Ladder, policy: Policy, due: float) -> Ladder:
    return replace(ladder, shift_s=due - ladder.t0 - offset_s(policy, ladder.step))


def _planned(ladder: Ladder, policy: Policy) -> float:
    return ladder.t0 + ladder.shift_s + offset_s(policy, ladder.step)


def _due(ladder: Ladder, policy: Policy, unaccepted_since: float | None) -> float:
    planned = _planned(ladder, policy)
    if unaccepted_since is None or not 0 < ladder.step < steps(policy):
        return planned
    return min(planned, unaccepted_since + policy.unaccepted_after_s)


def _action(ladder: Ladder, policy: Policy, due: float, unaccepted_since: float | None) -> Action:
    minutes = (due - ladder.t0) / 60
    if ladder.step >= steps(policy):
        return Action("remind", due, why=f"nobody acknowledged for {minutes:.0f} min")
    number = ladder.step % len(policy.levels)
    team = policy.levels[number].team
    why = f"nobody acknowledged for {minutes:.0f} min"
    if ladder.step == 0:
        why = "it is critical"
    elif unaccepted_since is not None and due < _planned(ladder, policy):
        why = f"the page before was not accepted in {policy.unaccepted_after_s:.0f} s"
    return Action("page", due, number + 1, team, why)
