"""When each step of a policy comes: arithmetic on its levels.

Times count in seconds from the first pageable moment. After the last level the ladder begins
again, as long after it as the last level came after the one before.
"""

from abops.alerts.model import Policy


def steps(policy: Policy) -> int:
    """Return how many pages there are in all: levels times cycles."""
    return len(policy.levels) * policy.repeat


def cycle_s(policy: Policy) -> float:
    """Return the seconds from one first level to the next."""
    last = policy.levels[-1].after_s
    gap = last - policy.levels[-2].after_s if len(policy.levels) > 1 else policy.remind_every_s
    return last + gap


def offset_s(policy: Policy, step: int) -> float:
    """Return the seconds from the first page to step number `step`, which counts from 0.

    Beyond the last page the steps are reminders.
    """
    pages = steps(policy)
    if step >= pages:
        return offset_s(policy, pages - 1) + (step - pages + 1) * policy.remind_every_s
    cycle, level = divmod(step, len(policy.levels))
    return cycle * cycle_s(policy) + policy.levels[level].after_s
