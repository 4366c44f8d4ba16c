"""What must hold of any incident: names do not matter, nor does what has no part in it."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from abops.alerts.rootcause.graph import Graph
from abops.alerts.rootcause.likely import ranked_causes
from abops.alerts.rootcause.model import (
    AlertSeen,
    ChangeSeen,
    Edge,
    History,
    IncidentEvidence,
    Series,
)

PARTS = tuple("abcdef")
part = st.sampled_from(PARTS)
kind = st.sampled_from(("Down", "Slow", "Full"))
at = st.none() | st.integers(0, 600).map(float)
values = st.lists(st.integers(0, 50).map(float), min_size=3, max_size=6).map(tuple)
alerts = st.lists(st.builds(AlertSeen, part, kind, at, st.booleans()), max_size=12).map(tuple)
relation = st.sampled_from(("calls", "calls", "calls", "instance_of", "hosted_on"))
edges = st.lists(st.builds(Edge, part, part, relation), max_size=10).map(tuple)
changes = st.lists(st.builds(ChangeSeen, part, at.map(lambda t: t or 0.0)), max_size=3).map(tuple)
seen = st.dictionaries(st.tuples(part, kind), st.integers(1, 20), max_size=10)
metric = st.sampled_from(("latency", "availability", "requests", "cpu"))
metrics = st.none() | st.lists(
    st.builds(Series, part, metric, values, values),
    max_size=8,
    unique_by=lambda s: (s.entity, s.metric),
).map(tuple)
incidents = st.builds(
    IncidentEvidence,
    st.sampled_from(("", *PARTS)),
    alerts,
    edges,
    changes,
    st.builds(History, st.just(20), seen),
    metrics,
)


def scores(evidence: IncidentEvidence) -> dict[str, float]:
    return {cause.entity: cause.score for cause in ranked_causes(evidence)}


def renamed(evidence: IncidentEvidence, names: Mapping[str, str]) -> IncidentEvidence:
    def of(entity: str) -> str:
        return names.get(entity, entity)

    return IncidentEvidence(
        of(evidence.symptom),
        tuple(replace(a, entity=of(a.entity)) for a in evidence.alerts),
        tuple(replace(e, source=of(e.source), target=of(e.target)) for e in evidence.edges),
        tuple(replace(c, entity=of(c.entity)) for c in evidence.changes),
        History(
            evidence.history.incidents,
            {(of(entity), k): n for (entity, k), n in evidence.history.seen.items()},
        ),
        None
        if evidence.metrics is None
        else tuple(replace(s, entity=of(s.entity)) for s in evidence.metrics),
    )


@given(incidents, st.permutations(PARTS))
def test_names_do_not_matter(evidence: IncidentEvidence, order: list[str]) -> None:
    names = dict(zip(PARTS, order, strict=True))
    after = scores(renamed(evidence, names))
    assert sorted(scores(evidence).values()) == sorted(after.values())


@given(incidents, st.permutations(PARTS))
def test_each_part_keeps_its_score_under_another_name(
    evidence: IncidentEvidence, order: list[str]
) -> None:
    names = dict(zip(PARTS, order, strict=True))
    before = scores(evidence)
    if len(set(before.values())) == len(before):
        after = scores(renamed(evidence, names))
        assert {names[entity]: score for entity, score in before.items()} == after


@given(incidents)
def test_a_part_without_any_trouble_changes_nothing(evidence: IncidentEvidence) -> None:
    calm = Series("bystander", "latency", (1, 2, 3), (2, 2))
    more = replace(
        evidence,
        edges=(
            *evidence.edges,
            Edge("bystander", "a"),
            Edge("bystander-1", "bystander", "instance_of"),
            Edge("b", "another bystander"),
            Edge("another bystander", "machine", "hosted_on"),
        ),
        metrics=None if evidence.metrics is None else (*evidence.metrics, calm),
        alerts=evidence.alerts,
    )
    with_calls = replace(evidence, edges=(*evidence.edges, Edge("x", "y")))
    assert scores(with_calls) == scores(more)


@given(incidents)
def test_shares_are_positive_and_together_at_most_one(evidence: IncidentEvidence) -> None:
    shares = list(scores(evidence).values())
    assert shares == sorted(shares, reverse=True)
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) <= 1 + 0.0001 * len(shares)


@given(incidents)
def test_asking_twice_gives_the_same_answer(evidence: IncidentEvidence) -> None:
    assert ranked_causes(evidence) == ranked_causes(evidence)


@given(edges, st.lists(part, min_size=1, max_size=3))
def test_callers_come_first_where_there_is_no_circle(
    drawn: tuple[Edge, ...], starts: list[str]
) -> None:
    acyclic = tuple(e for e in drawn if e.source < e.target)
    graph = Graph.of(acyclic)
    order = graph.order(starts, {})
    assert set(order) == set(graph.below(starts))
    assert all(
        order.index(caller) < order.index(callee)
        for caller, callees in graph.calls.items()
        if caller in order
        for callee in callees
    )


@given(edges, st.lists(part, min_size=1, max_size=3))
def test_every_part_that_is_reached_comes_once_even_in_circles(
    drawn: tuple[Edge, ...], starts: list[str]
) -> None:
    graph = Graph.of(drawn)
    assert sorted(graph.below(starts)) == sorted(graph.order(starts, {}))
