"""The order in which calls are gone through."""

from abops.alerts.rootcause.graph import Graph
from abops.alerts.rootcause.model import Edge


def graph(*calls: str) -> Graph:
    return Graph.of(Edge(*call.split(">")) for call in calls)


def test_callers_come_before_what_they_call_on_every_way() -> None:
    assert ["web", "api", "db"] == graph("web>db", "web>api", "api>db").order(["web"], {})


def test_a_circle_is_entered_where_it_is_nearest_to_the_start() -> None:
    circle = graph("web>a", "a>b", "b>c", "c>a")
    assert ["web", "a", "b", "c"] == circle.order(["web"], {"a": 9.0, "b": 1.0, "c": 1.0})


def test_a_circle_that_is_equally_near_is_entered_at_its_weakest_part() -> None:
    assert ["b", "a"] == graph("a>b", "b>a").order(["a", "b"], {"a": 2.0, "b": 1.0})


def test_the_call_that_closes_a_circle_is_not_followed() -> None:
    assert [("a", ("b",)), ("b", ())] == list(graph("a>b", "b>a").downwards(["a"], {}))


def test_nothing_is_its_own_callee_or_instance() -> None:
    assert {} == graph("a>a").calls
    assert {} == Graph.of([Edge("a", "a", "instance_of")]).members


def test_the_same_edge_said_twice_counts_once() -> None:
    assert {"a": ("b",)} == graph("a>b", "a>b").calls


def test_relations_are_kept_apart() -> None:
    found = Graph.of([Edge("pod", "api", "instance_of"), Edge("pod", "node", "hosted_on")])
    assert ({}, {"api": ("pod",)}, frozenset({"node"})) == (found.calls, found.members, found.nodes)


def test_among_keeps_the_calls_between_these_parts() -> None:
    assert {"a": ("b",)} == graph("a>b", "a>c", "c>b").among({"a", "b"}).calls
