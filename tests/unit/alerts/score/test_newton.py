import math

import msgspec
import numpy as np
import pytest

from abops.alerts.score.logistic import Model, contributions, probability, sigmoid
from abops.alerts.score.newton import curvature, fit, gradient, loss, minimise


def test_without_features_the_answer_is_the_share_of_ones() -> None:
    """The optimum of a bias alone is known: ln(3 / 1) for three of four."""
    found = minimise(np.ones((4, 1)), np.array([1.0, 1.0, 1.0, 0.0]), np.zeros(1))
    assert pytest.approx(math.log(3)) == found[0]


def test_a_table_of_four_is_fitted_to_its_log_odds() -> None:
    """Unpunished, the weight is the log odds ratio: (3/1) / (1/3) = 9, with 1/3 without it."""
    matrix = np.array([[1.0, 1.0]] * 4 + [[0.0, 1.0]] * 4)
    labels = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    found = minimise(matrix, labels, np.zeros(2))
    assert pytest.approx([math.log(9), -math.log(3)]) == found.tolist()


def test_the_penalty_pulls_to_its_known_optimum() -> None:
    """One example, label 1: the weight solves penalty x w = 1 - p(w)."""
    weight = minimise(np.ones((1, 1)), np.ones(1), np.full(1, 0.3))[0]
    assert pytest.approx(0.3 * weight) == 1 - sigmoid(weight)


def test_slope_and_curvature_are_those_of_the_loss() -> None:
    noise = np.random.default_rng(7)
    matrix, weights = noise.normal(size=(30, 4)), noise.normal(size=4)
    labels, penalty = (noise.random(30) > 0.5).astype(float), np.full(4, 0.3)
    step = 1e-5
    for column in range(4):
        moved = np.eye(4)[column] * step
        high = loss(matrix, labels, weights + moved, penalty)
        low = loss(matrix, labels, weights - moved, penalty)
        slope = gradient(matrix, labels, weights, penalty)
        assert pytest.approx((high - low) / (2 * step), rel=1e-4) == slope[column]
        high_slope = gradient(matrix, labels, weights + moved, penalty)
        low_slope = gradient(matrix, labels, weights - moved, penalty)
        expected = pytest.approx((high_slope - low_slope) / (2 * step), rel=1e-3, abs=1e-6)
        assert expected == curvature(matrix, weights, penalty)[column]


def test_labels_that_can_be_told_apart_perfectly_end_in_finite_weights() -> None:
    rows = [{"x": float(i)} for i in range(10)]
    model = fit(rows, [int(i >= 5) for i in range(10)])
    assert math.isfinite(model.weights["x"])
    assert probability(model, {"x": 9.0}) > 0.9
    assert probability(model, {"x": 0.0}) < 0.1


def test_labels_that_are_all_alike_are_no_error() -> None:
    model = fit([{"kind=A": 1.0}, {"kind=B": 1.0}], [0, 0])
    assert probability(model, {"kind=A": 1.0}) < 0.01


def test_what_is_not_known_of_an_incident_counts_as_average() -> None:
    rows = [{"x": 1.0, "tier": 1.0}, {"x": 2.0, "tier": 3.0}, {"x": 3.0}, {"x": 4.0}]
    model = fit(rows, [1, 0, 1, 0])
    assert pytest.approx((2.0, 1.0)) == (model.means["tier"], model.spreads["tier"])
    assert pytest.approx(probability(model, {"x": 1.0, "tier": 2.0})) == probability(
        model, {"x": 1.0}
    )


def test_a_number_that_never_changes_divides_nothing_by_zero() -> None:
    model = fit([{"x": 1.0}, {"x": 1.0}, {"x": 1.0}], [0, 1, 1])
    assert pytest.approx(2 / 3, abs=1e-5) == probability(model, {"x": 1.0})


def test_served_scores_are_those_of_the_fit() -> None:
    model = Model(bias=-1.0, weights={"x": 2.0, "kind=A": 0.5}, means={"x": 3.0}, spreads={"x": 2})
    assert {"x": 1.0, "kind=A": 0.5} == contributions(
        model, {"x": 4.0, "kind=A": 1.0, "unheard": 9.0}
    )
    assert pytest.approx(1 / (1 + math.exp(-0.5))) == probability(model, {"x": 4.0, "kind=A": 1.0})


def test_a_model_is_the_same_after_json() -> None:
    model = fit([{"x": 1.0, "kind=A": 1.0}, {"x": 2.0}, {"x": 4.0, "kind=A": 1.0}], [0, 1, 1])
    assert model == msgspec.json.decode(msgspec.json.encode(model), type=Model)
