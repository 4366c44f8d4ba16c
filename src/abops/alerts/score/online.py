"""Learning from one answer at a time.

The fitted model changes once a night; somebody who calls an incident noise expects the next one
like it to rank lower at once. A `Correction` keeps what was learned since: a change to each
weight and how sure it is. An answer moves the weights by a step of the extended Kalman filter
with a diagonal covariance: features that were hardly seen move far, well known ones little, and
all of them only in the direction of the answer, so an acknowledged incident never lowers the
score of its like and noise never raises it.

Beside a fitted model an answer moves the weight of its kind, and of what the model does not know;
how much numbers such as rarity count is left to the nightly fit, which sees all answers at once.
Without a fitted model the same steps learn everything from nothing.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

from abops.alerts.score.features import Features
from abops.alerts.score.logistic import Model, contributions, is_name, sigmoid

UNSEEN = 1.0
"""Precision of a weight that nothing is known of: it lies within one of zero, give or take."""
SURE = 1000.0
"""Most a weight can be sure of itself: the last few thousand answers count, older ones fade."""
NUMBER_LIMIT = 5.0
"""Spreads from the mean beyond which a number moves its weight no further."""


class Correction(Struct):
    """What was learned since the model was fitted. It changes with every answer."""

    bias: float = 0.0
    bias_precision: float = 0.0
    weights: dict[str, float] = {}
    precisions: dict[str, float] = {}
    seen: dict[str, tuple[int, float, float]] = {}
    """Count, mean and sum of squares of the numbers that the model does not know."""
    answers: int = 0
    actionable: int = 0


def measured(model: Model, correction: Correction, features: Features) -> Features:
    """Return the features in spreads from their mean; names stay as they are."""
    found = {}
    for name, value in features.items():
        if is_name(name):
            found[name] = value
            continue
        mean, spread = model.means.get(name, 0.0), model.spreads.get(name, 0.0)
        if not spread:
            count, mean, squares = correction.seen.get(name, (0, value, 0.0))
            spread = math.sqrt(squares / count) if count > 1 and squares > 0 else 1.0
        found[name] = max(-NUMBER_LIMIT, min(NUMBER_LIMIT, (value - mean) / spread))
    return found


def reasons(model: Model, correction: Correction, features: Features) -> dict[str, float]:
    """Return what each feature adds to the log odds, with what was learned since."""
    found = contributions(model, features)
    for name, value in measured(model, correction, features).items():
        if name in correction.weights:
            found[name] = found.get(name, 0.0) + correction.weights[name] * value
    return found


def judge(model: Model, correction: Correction, features: Features) -> float:
    """Return how likely it is that somebody has to act."""
    total = sum(reasons(model, correction, features).values())
    return sigmoid(model.bias + correction.bias + total)


def answer(model: Model, correction: Correction, features: Features, value: int) -> None:
    """Learn that an incident needed somebody (1) or did not (0)."""
    for name, number in features.items():
        if not is_name(name) and name not in model.means:
            correction.seen[name] = _taken(correction.seen.get(name), number)
    told = judge(model, correction, features)
    inputs = {
        name: x for name, x in measured(model, correction, features).items() if _moves(model, name)
    }
    weight = told * (1 - told)
    sure = {name: _precision(model, correction, name) for name in inputs}
    bias_doubt = 0.0 if model.examples else 1 / min(SURE, max(UNSEEN, correction.bias_precision))
    doubt = bias_doubt + sum(x * x / sure[name] for name, x in inputs.items())
    gain = (value - told) / (1 + weight * doubt)
    for name, x in inputs.items():
        step = gain * x / sure[name]
        correction.weights[name] = correction.weights.get(name, 0.0) + step
        correction.precisions[name] = correction.precisions.get(name, 0.0) + weight * x * x
    correction.bias += gain * bias_doubt
    correction.bias_precision += weight
    correction.answers += 1
    correction.actionable += value


def _moves(model: Model, name: str) -> bool:
    return name not in model.weights or name.startswith("kind=")


def copied(correction: Correction) -> Correction:
    """Return a copy that later answers do not change."""
    return replace(
        correction,
        weights=dict(correction.weights),
        precisions=dict(correction.precisions),
        seen=dict(correction.seen),
    )


def _precision(model: Model, correction: Correction, name: str) -> float:
    known = model.precisions.get(name, UNSEEN) + correction.precisions.get(name, 0.0)
    return min(SURE, max(UNSEEN, known))


def _taken(seen: tuple[int, float, float] | None, value: float) -> tuple[int, float, float]:
    count, mean, squares = seen or (0, 0.0, 0.0)
    count += 1
    step = value - mean
    mean += step / count
    return count, mean, squares + step * (value - mean)
