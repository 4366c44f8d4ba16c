import pytest

from abops.alerts.score.logistic import probability
from abops.alerts.score.measure import average_precision, recall_at
from abops.alerts.score.model import Example
from abops.alerts.score.train import train

DAY = 86_400.0
NOW = 30 * DAY


def examples(*, served_right: bool, learnable: bool) -> list[Example]:
    """Twenty days, six incidents each; a third needs somebody."""
    found = []
    for number in range(120):
        value = int(number % 3 == 0)
        told = value if learnable else number % 2
        served = 0.9 if bool(value) == served_right else 0.1
        features = {"kind=Bad" if told else "kind=Good": 1.0, "gap": float(number % 5)}
        found.append(Example(features, value, NOW - (120 - number) * DAY / 6, served))
    return found


def test_a_better_model_is_served() -> None:
    result = train(examples(served_right=False, learnable=True), NOW)
    assert result.model is not None
    assert probability(result.model, {"kind=Bad": 1.0}) > 0.8
    assert result.before is not None
    assert result.after is not None
    assert result.after > result.before


def test_a_worse_model_is_refused_and_both_figures_are_told() -> None:
    result = train(examples(served_right=True, learnable=False), NOW)
    assert result.model is None
    assert 1.0 == result.before
    assert result.after is not None
    assert result.after < 0.6
    assert result.why.startswith("kept the old model: average precision of the last week 1.000")


def test_the_week_that_judges_a_model_did_not_teach_it() -> None:
    """In the last week Good needs somebody and Calm is new: nobody can know before."""
    found = examples(served_right=True, learnable=True)
    turned = [
        Example({"kind=Good" if e.value else "kind=Calm": 1.0}, e.value, e.at, e.served)
        if e.at >= NOW - 7 * DAY
        else e
        for e in found
    ]
    assert train(turned, NOW).model is None


def test_an_equal_model_is_served() -> None:
    result = train(examples(served_right=True, learnable=True), NOW)
    assert (1.0, 1.0) == (result.before, result.after)
    assert result.model is not None
    assert (120, 40) == (result.model.examples, result.model.actionable)


def test_too_few_labels_fit_nothing() -> None:
    result = train(examples(served_right=True, learnable=True)[:49], NOW)
    assert result.model is None
    assert "49 labels, 17 actionable: too few to learn from" == result.why


def test_a_first_model_needs_no_comparison() -> None:
    unserved = [
        Example(e.features, e.value, e.at) for e in examples(served_right=True, learnable=True)
    ]
    result = train(unserved, NOW)
    assert result.model is not None
    assert result.before is None


def test_average_precision_by_hand() -> None:
    """Hits at ranks 1 and 3 of four: (1/1 + 2/3) / 2."""
    assert pytest.approx((1 + 2 / 3) / 2) == average_precision([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])


def test_equal_scores_gain_nothing_from_their_order() -> None:
    assert 0.5 == average_precision([0.5, 0.5], [1, 0]) == average_precision([0.5, 0.5], [0, 1])
    assert 0.5 == recall_at([0.5, 0.5, 0.1, 0.1], [1, 0, 0, 0], 0.25)


def test_recall_in_the_highest_share() -> None:
    assert 0.5 == recall_at([0.9, 0.8, 0.7, 0.1], [1, 0, 0, 1], 0.5)
