"""Cases that follow from an alert's threshold: over it, under it, not yet, and without data.

An alert's entry says how history looks when the measured value is `v`; from that come the cases
every alert must pass. They sit a tenth from the threshold, so that a threshold a quarter too high
or a fifth too low fails one of them, and a step around the hold, so that a changed hold does.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from msgspec import Struct

from abops.observability.catalogue.alert import Case, Fired

STEP: Final = timedelta(seconds=15)
NEAR: Final = 0.1
"""Distance of the nearest cases from the threshold, as a share of it."""
_LONG: Final = 40
TURN: Final = 40 * STEP
"""When counters of `turning` change their pace: rates over a window follow slowly, so the moment
at which they cross a threshold tells how long the window is."""
MARGIN: Final = 3 * STEP
"""Distance of cases from that moment: more than the sample on a window's edge can move it."""


class Timing(Struct, frozen=True):
    """When an alert may fire.

    `hold` is the rule's `for`, `warm` how long the expression needs until it has its value (zero
    for recorded series and gauges), `step` the time between two evaluations.
    """

    hold: timedelta = timedelta()
    warm: timedelta = timedelta()
    step: timedelta = STEP


def around(
    threshold: float,
    series: Callable[[float], dict[str, str]],
    fired: Callable[[float], Fired],
    *,
    below: bool = False,
    timing: Timing = Timing(),  # noqa: B008 (frozen)
) -> tuple[Case, ...]:
    """Return the cases of an alert that compares one value with `threshold`.

    `series(v)` is history in which the value is `v` from the start; `fired(v)` is the alert that
    this raises. `below`: the alert fires under the threshold.
    """
    over = threshold * (1 - NEAR if below else 1 + NEAR)
    under = threshold * (1 + NEAR if below else 1 - NEAR)
    due, step = timing.warm + timing.hold, timing.step
    cases = [
        Case("past the threshold", series(over), due, (fired(over),)),
        Case("short of the threshold", series(under), due + _LONG * step),
        Case("no data", {}, due + step),
    ]
    if timing.hold:
        cases.insert(1, Case("not before its hold", series(over), due - step))
    return tuple(cases)


def steady(value: float, count: int = 400) -> str:
    """Return a gauge that stays at `value`, in promtool's notation."""
    return f"{value:.6g}x{count}"


def rising(per_step: float, count: int = 400) -> str:
    """Return a counter that grows by `per_step` a step, in promtool's notation."""
    return f"0+{per_step:.6g}x{count}"


def turning(first: float, then: float, count: int = 200) -> str:
    """Return a counter that grows by `first` a step, and by `then` after TURN."""
    steps = TURN // STEP
    return f"0+{first:.6g}x{steps} {first * steps + then:.6g}+{then:.6g}x{count}"


def labelled(metric: str, values: str, labels: dict[str, str]) -> dict[str, str]:
    """Return one series of a case: its name with labels, and its values."""
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return {f"{metric}{{{inside}}}": values}


def burst(
    metric: str,
    labels: dict[str, str],
    window: timedelta,
    fired: Fired,
    healthy: dict[str, str] | None = None,
) -> tuple[Case, ...]:
    """Return the cases of `increase(metric[window]) > 0`: once is too often.

    It happens in the sixth minute: seen as long as the window reaches back to it, and forgotten
    afterwards. `healthy` are series that the expression needs besides.
    """
    quiet, minute = 20, 4
    happened = (quiet + 1) * STEP
    values = f"0x{quiet} 3x{2 * minute * int(window / timedelta(minutes=1))}"
    series = labelled(metric, values, labels) | (healthy or {})
    calm = labelled(metric, "7x200", labels) | (healthy or {})
    return (
        Case("it happened", series, happened + window / 2, (fired,)),
        Case("seen until the window ends", series, happened + window - 3 * STEP, (fired,)),
        Case("forgotten after the window", series, happened + window + 3 * STEP),
        Case("never happened", calm, window * 2),
        Case("no data", {}, window),
    )
