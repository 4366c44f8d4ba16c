"""The one door to the score: observe every alert, ask for a score, learn from answers.

    scorer.observe(kind, host, at)                    # every alert, in the order of arrival
    score = scorer.score(kind, host, at, around)      # value, three terms, features
    scorer.learn(score.features, 1)                   # somebody acknowledged it
    scorer.swap(model)                                # after `train`; then learn what came since

`state` and `restore` carry everything over a restart; it is one value for `msgspec.json`.
"""

from typing import Self

from msgspec import Struct, field

from abops.alerts.score.features import Circumstances, Features, History, HistoryState
from abops.alerts.score.logistic import Model
from abops.alerts.score.model import Score
from abops.alerts.score.online import Correction, answer, copied, judge, reasons
from abops.alerts.score.words import strongest

ANSWERS = 20
"""Answers until there is a score at all without a fitted model."""


class ScorerState(Struct, frozen=True):
    """Everything a scorer knows."""

    model: Model = Model()
    correction: Correction = field(default_factory=Correction)
    history: HistoryState = HistoryState()


class Scorer:
    """Knows what has come and what people did about it."""

    def __init__(self, model: Model | None = None) -> None:
        self._model = model or Model()
        self._correction = Correction()
        self._history = History()

    @property
    def model(self) -> Model:
        """The fitted model that is served."""
        return self._model

    def observe(self, kind: str, host: str, at: float, count: int = 1) -> None:
        """Count alerts; all of them, also those that are never scored."""
        self._history.observe(kind, host, at, count)

    def score(self, kind: str, host: str, at: float, around: Circumstances | None = None) -> Score:
        """Judge an alert that has been observed. An incident's score is its highest alert's."""
        return self.judge(self._history.describe(kind, host, at, around))

    def judge(self, features: Features) -> Score:
        """Judge by features, such as those kept with an older score."""
        learned = self._model.examples + self._correction.answers
        if learned < ANSWERS:
            return Score(None, (f"only {learned} of {ANSWERS} answers known",), features)
        if not 0 < self._model.actionable + self._correction.actionable < learned:
            return Score(None, ("all answers so far are alike",), features)
        found = reasons(self._model, self._correction, features)
        value = judge(self._model, self._correction, features)
        return Score(value, strongest(found, features), features)

    def learn(self, features: Features, value: int) -> None:
        """Learn that somebody had to act (1) or not (0). It counts from the next score on."""
        answer(self._model, self._correction, features, value)

    def swap(self, model: Model) -> None:
        """Serve a newly fitted model. What was learned since the last one is part of it."""
        self._model = model
        self._correction = Correction()

    def state(self) -> ScorerState:
        """Return everything as one value, which `msgspec.json` writes and reads."""
        return ScorerState(self._model, copied(self._correction), self._history.state())

    @classmethod
    def restore(cls, state: ScorerState) -> Self:
        """Make it from what `state` returned."""
        scorer = cls(state.model)
        scorer._correction = copied(state.correction)
        scorer._history = History.restore(state.history)
        return scorer


def highest(scores: tuple[Score, ...]) -> Score | None:
    """Return the score of an incident from those of its alerts."""
    known = [score for score in scores if score.value is not None]
    return max(known, key=lambda score: score.value or 0.0, default=scores[0] if scores else None)
