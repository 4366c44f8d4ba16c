from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops.alerts.model import SEVERITIES, Severity
from abops.alerts.score.features import Features
from abops.alerts.score.labels import Outcome, label
from abops.alerts.score.logistic import Model
from abops.alerts.score.model import Label, Score
from abops.alerts.score.online import Correction, answer, judge
from abops.alerts.score.scorer import Scorer, ScorerState, highest
from abops.alerts.score.urgency import urgency

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
MODEL = Model(
    bias=-1.0,
    weights={"kind=Known": 2.0, "gap": 0.5},
    means={"gap": 2.0},
    spreads={"gap": 1.0},
    precisions={"kind=Known": 40.0, "gap": 90.0},
    examples=400,
    actionable=100,
)
KNOWN: Features = {"kind=Known": 1.0, "gap": 2.5}
UNKNOWN: Features = {"kind=Unknown": 1.0, "gap": 2.5}


def after_answer(features: Features, value: int) -> float:
    correction = Correction()
    answer(MODEL, correction, features, value)
    return judge(MODEL, correction, features)


def test_noise_lowers_the_next_score_of_its_like_and_an_ack_raises_it() -> None:
    for features in (KNOWN, UNKNOWN):
        before = judge(MODEL, Correction(), features)
        assert after_answer(features, 0) < before < after_answer(features, 1)


def test_a_kind_hardly_seen_moves_further_than_a_well_known_one() -> None:
    moved = {
        kind: after_answer(features, 1) - judge(MODEL, Correction(), features)
        for kind, features in (("known", {"kind=Known": 1.0}), ("unknown", {"kind=Unknown": 1.0}))
    }
    assert moved["unknown"] > 2 * moved["known"]


def test_beside_a_fitted_model_an_answer_moves_its_kind_and_no_number_of_the_model() -> None:
    correction = Correction()
    answer(MODEL, correction, {**KNOWN, "tier": 1.0}, 1)
    assert {"kind=Known", "tier"} == set(correction.weights)
    assert 0.0 == correction.bias


def test_one_step_by_hand() -> None:
    """p = 1/2, doubt = 1/1 + 1/1, gain = (1/2) / (1 + 1/4 x 2) = 1/3; both move by a third."""
    correction = Correction()
    answer(Model(), correction, {"kind=A": 1.0}, 1)
    assert pytest.approx(1 / 3) == correction.weights["kind=A"]
    assert pytest.approx(1 / 3) == correction.bias
    assert 0.25 == correction.precisions["kind=A"]


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.floats(-50, 50), st.integers(0, 1)), max_size=30),
    st.sampled_from("ABCD"),
    st.floats(-50, 50),
)
def test_an_answer_never_moves_its_like_the_other_way(
    history: list[tuple[str, float, int]], kind: str, gap: float
) -> None:
    correction = Correction()
    for earlier, number, value in history:
        answer(MODEL, correction, {f"kind={earlier}": 1.0, "gap": number}, value)
    features = {f"kind={kind}": 1.0, "gap": gap}
    raised, lowered = msgspec.json.encode(correction), msgspec.json.encode(correction)
    before = judge(MODEL, correction, features)
    for content, value in ((raised, 1), (lowered, 0)):
        moved = msgspec.json.decode(content, type=Correction)
        answer(MODEL, moved, features, value)
        after = judge(MODEL, moved, features)
        assert after >= before if value else after <= before


def test_it_learns_from_nothing_and_says_when_it_cannot() -> None:
    scorer = Scorer()
    for minute in range(40):
        kind = "Bad" if minute % 2 else "Good"
        scorer.observe(kind, "api", minute * 60.0)
        score = scorer.score(kind, "api", minute * 60.0)
        if minute == 19:
            assert score.value is None
            assert ("only 19 of 20 answers known",) == score.terms
        scorer.learn(score.features, minute % 2)
    scorer.observe("Good", "api", 2400.0)
    good = scorer.score("Good", "api", 2400.0)
    scorer.observe("Bad", "api", 2460.0)
    bad = scorer.score("Bad", "api", 2460.0)
    assert bad.value is not None
    assert good.value is not None
    assert bad.value > 0.8
    assert good.value < 0.2


def test_answers_that_are_all_alike_give_no_score() -> None:
    scorer = Scorer()
    for _ in range(30):
        scorer.learn({"kind=A": 1.0}, 0)
    assert Score(None, ("all answers so far are alike",), {"kind=A": 1.0}) == scorer.judge(
        {"kind=A": 1.0}
    )


def test_the_three_strongest_reasons_are_told_in_words() -> None:
    model = msgspec.structs.replace(MODEL, weights={**MODEL.weights, "new pair": -0.2, "z": 0.1})
    scorer = Scorer(model)
    features = {"kind=Known": 1.0, "gap": 4.12, "new pair": 1.0, "z": 1.0}
    assert (
        "Known: this kind often needs somebody (+2.0)",
        "silent for 61 min before (+1.1)",
        "first time on this host (-0.2)",
    ) == scorer.judge(features).terms


def test_a_restored_scorer_judges_and_learns_alike() -> None:
    scorer = Scorer(MODEL)
    scorer.observe("Known", "api", 0.0)
    scorer.learn(UNKNOWN, 1)
    state = scorer.state()
    written = msgspec.json.encode(state)
    restored = Scorer.restore(msgspec.json.decode(written, type=ScorerState))
    for one in (scorer, restored):
        one.observe("Unknown", "api", 60.0)
        one.learn(KNOWN, 0)
    assert scorer.score("Unknown", "api", 60.0) == restored.score("Unknown", "api", 60.0)
    assert written == msgspec.json.encode(state)
    assert written != msgspec.json.encode(restored.state())


def test_a_new_model_replaces_what_was_learned_since_the_last() -> None:
    scorer = Scorer(MODEL)
    scorer.learn(KNOWN, 0)
    scorer.swap(MODEL)
    assert Scorer(MODEL).judge(KNOWN) == scorer.judge(KNOWN)


@given(st.none() | st.floats(0, 1), st.booleans())
def test_critical_is_never_held(value: float | None, missing: bool) -> None:  # noqa: FBT001
    score = None if missing else Score(value, ("whatever",))
    assert "page" == urgency(score, "critical").level


def test_a_low_score_makes_a_warning_a_line_of_the_digest_and_says_why() -> None:
    low = urgency(Score(0.03, ("a", "b", "c")), "warning")
    assert ("digest", "score 0.03 is below 0.1: a; b; c") == (low.level, low.why)
    for score in (None, Score(None, ("too few",)), Score(0.1, ()), Score(1.0, ())):
        assert "tell" == urgency(score, "warning").level


@given(st.floats(0, 1), st.sampled_from(SEVERITIES))
def test_a_score_never_raises_urgency(value: float, severity: Severity) -> None:
    order = ("digest", "tell", "page")
    with_score, without = urgency(Score(value, ()), severity), urgency(None, severity)
    assert order.index(with_score.level) <= order.index(without.level)


def test_an_incident_has_the_score_of_its_highest_alert() -> None:
    scores = (Score(None, ()), Score(0.2, ()), Score(0.7, ()))
    assert scores[2] == highest(scores)
    assert scores[0] == highest(scores[:1])
    assert highest(()) is None


RESOLVED = Outcome(NOON, resolved_at=NOON + timedelta(minutes=4))


@pytest.mark.parametrize(
    ("outcome", "hours", "expected"),
    [
        (Outcome(NOON, acked=True), 0, Label(1, "acknowledged")),
        (Outcome(NOON, noted=True), 0, Label(1, "somebody wrote a note")),
        (Outcome(NOON, change="v42"), 0, Label(1, "linked to the change v42")),
        (Outcome(NOON, acked=True, noise=True), 0, Label(0, "called noise")),
        (RESOLVED, 23, None),
        (RESOLVED, 24, Label(0, "went away by itself, nobody came")),
        (Outcome(NOON, silenced=True), 1, None),
        (Outcome(NOON, silenced=True), 24, Label(0, "silenced")),
        (Outcome(NOON, silenced=True, acked=True), 24, Label(1, "acknowledged")),
        (Outcome(NOON, NOON, resolved_by="ana"), 0, Label(1, "resolved by ana")),
        (Outcome(NOON), 48, None),
    ],
)
def test_what_people_did_is_what_it_was(
    outcome: Outcome, hours: int, expected: Label | None
) -> None:
    assert expected == label(outcome, NOON + timedelta(hours=hours))
