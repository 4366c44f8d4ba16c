"""A logistic regression that is served without any library.

The probability is the logistic function of a sum of weight x feature, so every score can be taken
apart into reasons. Numbers are measured in spreads from their mean; names (`kind=DiskFull`) are
there or not. What is not known of an incident counts as average. The model is JSON, never a
pickle: it can be read, compared and edited, and loading it runs nothing. It is fitted in
`newton`.
"""

import math

from msgspec import Struct

from abops.alerts.score.features import Features

LOGIT_LIMIT = 30.0
"""exp(-30) = 1e-13: beyond it a probability is certain, and exp must not overflow."""


class Model(Struct, frozen=True):
    """Weights and what they were learned from."""

    bias: float = 0.0
    weights: dict[str, float] = {}
    means: dict[str, float] = {}
    """Of the numbers. A feature that is not here is a name."""
    spreads: dict[str, float] = {}
    precisions: dict[str, float] = {}
    """How sure each weight is: one over its variance, as if it were the only one."""
    examples: int = 0
    actionable: int = 0
    fitted_at: float = 0.0


def is_name(feature: str) -> bool:
    """Tell whether a feature is there or not, rather than a number."""
    return "=" in feature


def sigmoid(logit: float) -> float:
    """Return the probability of log odds."""
    return 1.0 / (1.0 + math.exp(-max(-LOGIT_LIMIT, min(LOGIT_LIMIT, logit))))


def contributions(model: Model, features: Features) -> dict[str, float]:
    """Return what each feature adds to the log odds."""
    weights, means, spreads = model.weights, model.means, model.spreads
    return {
        name: weights[name] * (value - means.get(name, 0.0)) / spreads.get(name, 1.0)
        for name, value in features.items()
        if name in weights
    }


def probability(model: Model, features: Features) -> float:
    """Return how likely it is that somebody has to act."""
    return sigmoid(model.bias + sum(contributions(model, features).values()))
