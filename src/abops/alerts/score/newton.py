"""Fitting the logistic regression: Newton's method with an L2 penalty.

    minimise  sum over examples of ln(1 + exp(z)) - y z  +  penalty / 2 x |weights|^2

The bias is not punished: how many incidents need somebody is not a question of taste. The sum is
convex and Newton's steps are halved until it falls, so the answer does not depend on luck. Only
training loads this module, and numpy with it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abops.alerts.score.features import Features
from abops.alerts.score.logistic import LOGIT_LIMIT, Model, is_name

PENALTY = 0.3
"""A kind seen once and acted upon once moves its weight by less than two."""
STEPS = 25
TOLERANCE = 1e-7
BIAS_PENALTY = 1e-6
"""Only so that the equations have an answer when all labels are alike."""
SMALLEST_STEP = 1e-6

Array = npt.NDArray[np.float64]


class Design:
    """Examples as a matrix: one column a feature, the last one all ones."""

    def __init__(self, rows: Sequence[Features]) -> None:
        self.names = sorted({name for row in rows for name in row})
        place = {name: column for column, name in enumerate(self.names)}
        numbers = [column for name, column in place.items() if not is_name(name)]
        matrix = np.zeros((len(rows), len(self.names) + 1))
        matrix[:, numbers] = np.nan
        for row, features in zip(matrix, rows, strict=True):
            for name, value in features.items():
                row[place[name]] = value
        self.means: dict[str, float] = {}
        self.spreads: dict[str, float] = {}
        for column in numbers:
            known = matrix[~np.isnan(matrix[:, column]), column]
            mean, spread = float(known.mean()), float(known.std()) or 1.0
            self.means[self.names[column]] = mean
            self.spreads[self.names[column]] = spread
            matrix[:, column] = np.nan_to_num((matrix[:, column] - mean) / spread, nan=0.0)
        matrix[:, -1] = 1.0
        self.matrix: Array = matrix


def loss(matrix: Array, labels: Array, weights: Array, penalty: Array) -> float:
    """Return what is minimised."""
    logits = matrix @ weights
    told = np.logaddexp(0.0, logits).sum() - labels @ logits
    return float(told + (penalty * weights * weights).sum() / 2)


def gradient(matrix: Array, labels: Array, weights: Array, penalty: Array) -> Array:
    """Return the slope of the loss."""
    result: Array = matrix.T @ (_probabilities(matrix, weights) - labels) + penalty * weights
    return result


def curvature(matrix: Array, weights: Array, penalty: Array) -> Array:
    """Return the second derivatives of the loss."""
    told = _probabilities(matrix, weights)
    result: Array = (matrix * (told * (1 - told))[:, None]).T @ matrix + np.diag(penalty)
    return result


def minimise(matrix: Array, labels: Array, penalty: Array) -> Array:
    """Return the weights of the least loss."""
    weights = np.zeros(matrix.shape[1])
    value = loss(matrix, labels, weights, penalty)
    for _ in range(STEPS):
        slope = gradient(matrix, labels, weights, penalty)
        step = np.linalg.solve(curvature(matrix, weights, penalty), slope)
        share = 1.0
        while share > SMALLEST_STEP:
            tried = loss(matrix, labels, weights - share * step, penalty)
            if tried <= value:
                break
            share /= 2
        else:
            break
        weights, value = weights - share * step, tried
        if np.abs(share * step).max() < TOLERANCE:
            break
    return weights


def fit(
    rows: Sequence[Features], labels: Sequence[int], *, penalty: float = PENALTY, now: float = 0.0
) -> Model:
    """Return the model of these examples."""
    design = Design(rows)
    wanted = np.asarray(labels, dtype=float)
    punished = np.full(design.matrix.shape[1], penalty)
    punished[-1] = BIAS_PENALTY
    weights = minimise(design.matrix, wanted, punished)
    sure = np.diag(curvature(design.matrix, weights, punished))
    return Model(
        bias=float(weights[-1]),
        weights=dict(zip(design.names, weights[:-1].tolist(), strict=True)),
        means=design.means,
        spreads=design.spreads,
        precisions=dict(zip(design.names, sure[:-1].tolist(), strict=True)),
        examples=len(rows),
        actionable=int(wanted.sum()),
        fitted_at=now,
    )


def _probabilities(matrix: Array, weights: Array) -> Array:
    logits = np.clip(matrix @ weights, -LOGIT_LIMIT, LOGIT_LIMIT)
    result: Array = 1.0 / (1.0 + np.exp(-logits))
    return result
