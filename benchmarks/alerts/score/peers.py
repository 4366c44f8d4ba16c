"""What others would do with the same buckets: the prior of a kind, online learning, boosting.

All see the same features in the same order. Boosting needs scikit-learn, which only this
benchmark uses: without it, its rows are missing and that is said.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from abops.alerts.score.features import Features
from abops.alerts.score.logistic import sigmoid

RATE = 0.01
"""Step of stochastic gradient descent, river's default."""

try:
    from sklearn.ensemble import HistGradientBoostingClassifier
except ImportError:
    HistGradientBoostingClassifier = None


class KindPrior:
    """How often buckets of a kind were actionable, drawn to the mean by one of them."""

    def __init__(self, rows: Sequence[Features], labels: Sequence[int]) -> None:
        self._mean = sum(labels) / len(labels)
        self._counts: dict[str, list[int]] = {}
        for row, label in zip(rows, labels, strict=True):
            counted = self._counts.setdefault(kind_of(row), [0, 0])
            counted[0] += 1
            counted[1] += label

    def score(self, row: Features) -> float:
        """Return the share of its kind."""
        taken, hits = self._counts.get(kind_of(row), (0, 0))
        return (hits + self._mean) / (taken + 1)


def kind_of(row: Features) -> str:
    """Return the kind that a row describes."""
    return next(name for name in row if name.startswith("kind="))


class OnlineLogistic:
    """Running standard scores and gradient descent, as `StandardScaler | LogisticRegression`."""

    def __init__(self) -> None:
        self._bias = 0.0
        self._weights: dict[str, float] = {}
        self._numbers: dict[str, tuple[int, float, float]] = {}

    def _scaled(self, row: Features) -> Features:
        found = {}
        for name, value in row.items():
            count, mean, squares = self._numbers.get(name, (0, 0.0, 0.0))
            spread = math.sqrt(squares / count) if count else 0.0
            found[name] = (value - mean) / spread if spread else 0.0
        return found

    def score(self, row: Features) -> float:
        """Return the probability."""
        weights = self._weights
        scaled = self._scaled(row)
        return sigmoid(self._bias + sum(weights.get(name, 0.0) * x for name, x in scaled.items()))

    def learn(self, row: Features, label: int) -> None:
        """Take one step."""
        for name, value in row.items():
            count, mean, squares = self._numbers.get(name, (0, 0.0, 0.0))
            step = value - mean
            mean += step / (count + 1)
            self._numbers[name] = (count + 1, mean, squares + step * (value - mean))
        scaled = self._scaled(row)
        slope = self.score(row) - label
        for name, x in scaled.items():
            self._weights[name] = self._weights.get(name, 0.0) - RATE * slope * x
        self._bias -= RATE * slope


class Boosting:
    """Gradient boosted trees with the library's defaults; one column a feature."""

    def __init__(self, rows: Sequence[Features], labels: Sequence[int]) -> None:
        self._names = sorted({name for row in rows for name in row})
        self._model: Any = HistGradientBoostingClassifier(random_state=0)
        self._model.fit(self._matrix(rows), labels)

    def scores(self, rows: Sequence[Features]) -> list[float]:
        """Return the probabilities."""
        found: list[float] = self._model.predict_proba(self._matrix(rows))[:, 1].tolist()
        return found

    def _matrix(self, rows: Sequence[Features]) -> npt.NDArray[np.float64]:
        place = {name: column for column, name in enumerate(self._names)}
        matrix = np.zeros((len(rows), len(place)))
        for line, row in zip(matrix, rows, strict=True):
            for name, value in row.items():
                if name in place:
                    line[place[name]] = value
        return matrix


def has_boosting() -> bool:
    """Say whether boosting can be computed."""
    return HistGradientBoostingClassifier is not None
