"""The nightly fit, and whether its model may replace the one that is served.

Both are judged on the last week: the served model by the scores that people really saw, the new
one by a fit to everything before that week, so that neither has seen the answers. If the new one
ranks the week worse by more than `TOLERANCE`, the old one stays. What is served is then fitted to
all labels, the last week with them. Only training loads this module, and numpy with it.
"""

from collections.abc import Sequence

from msgspec import Struct

from abops.alerts.score.logistic import Model, probability
from abops.alerts.score.measure import average_precision
from abops.alerts.score.model import Example
from abops.alerts.score.newton import fit

WEEK_S = 7 * 86_400.0
TOLERANCE = 0.01
"""Average precision that may be lost: as much as chance moves it in a week of 200 incidents."""
ENOUGH = 50
"""Labels below which nothing is fitted; each answer still counts by itself."""
ENOUGH_ACTIONABLE = 5


class Training(Struct, frozen=True):
    """What came of a night's training."""

    model: Model | None
    """What is to be served now. None: the old one stays."""
    why: str
    examples: int = 0
    actionable: int = 0
    before: float | None = None
    """Average precision of the scores people saw last week. None: too few to tell."""
    after: float | None = None
    """Average precision of the new model on the same incidents."""


def train(examples: Sequence[Example], now: float) -> Training:
    """Fit a model to the labels and say whether it is to be served."""
    actionable = sum(example.value for example in examples)
    found = Training(None, "", len(examples), actionable)
    if len(examples) < ENOUGH or not ENOUGH_ACTIONABLE <= actionable < len(examples):
        why = f"{len(examples)} labels, {actionable} actionable: too few to learn from"
        return _but(found, why)
    week = [e for e in examples if e.at >= now - WEEK_S and e.served is not None]
    older = [e for e in examples if e.at < now - WEEK_S]
    positive = sum(example.value for example in week)
    comparable = len(older) >= ENOUGH and any(example.value for example in older)
    if not comparable or not ENOUGH_ACTIONABLE <= positive < len(week):
        why = "too few scored incidents in the last week, or before it, to compare by"
        return _but(found, why, _fitted(examples, now))
    labels = [example.value for example in week]
    candidate = _fitted(older, now)
    before = average_precision([example.served or 0.0 for example in week], labels)
    after = average_precision([probability(candidate, e.features) for e in week], labels)
    compared = f"average precision of the last week {before:.3f} -> {after:.3f}"
    if after < before - TOLERANCE:
        return _but(found, f"kept the old model: {compared}", None, before, after)
    return _but(found, compared, _fitted(examples, now), before, after)


def _fitted(examples: Sequence[Example], now: float) -> Model:
    return fit([e.features for e in examples], [e.value for e in examples], now=now)


def _but(
    found: Training,
    why: str,
    model: Model | None = None,
    before: float | None = None,
    after: float | None = None,
) -> Training:
    return Training(model, why, found.examples, found.actionable, before, after)
