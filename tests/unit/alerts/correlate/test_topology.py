"""How near two alerts stand."""

import pytest

from abops.alerts.correlate.topology import LIVES_S, Place, Topology

CALLS = (("api", "postgres"), ("bot", "postgres"), ("api", "redis"))


def at(service: str, component: str = "", node: str = "", env: str = "prod") -> Place:
    return Place(env, service, component, node)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (at("api"), at("api"), (1.0, "same service api")),
        (at("api"), at("blackbox", component="api"), (0.8, "both speak of api")),
        (at("api"), at("postgres"), (0.6, "api calls postgres")),
        (at("api"), at("bot"), (0.3, "api and bot both touch postgres")),
        (at("bot", node="n1"), at("redis", node="n1"), (0.4, "same machine n1")),
        (at("api", node="n1"), at("bot", node="n1"), (0.4, "same machine n1")),
        (at("api", node="n1"), at("postgres", node="n1"), (0.6, "api calls postgres")),
        (at("bot"), at("redis"), (0.0, "")),
        (at("api"), at("api", env="dev"), (0.0, "")),
    ],
)
def test_the_nearest_relation_counts_in_both_directions(
    one: Place, other: Place, expected: tuple[float, str]
) -> None:
    topology = Topology(CALLS)
    found = topology.between(one, other)
    assert expected == (found.value, found.why)
    assert found.value == topology.between(other, one).value


def test_services_within_two_hops_are_around() -> None:
    topology = Topology([*CALLS, ("redis", "disk")])
    assert {"postgres", "redis", "bot", "disk"} == topology.around("api")
    assert {"postgres", "api"} == topology.around("bot")


def test_a_call_that_was_seen_counts_for_a_day() -> None:
    topology = Topology(CALLS)
    topology.saw("api", "telegram", 10.0)
    topology.forget(10.0 + LIVES_S)
    assert "telegram" in topology.around("api")
    topology.forget(11.0 + LIVES_S)
    assert "telegram" not in topology.around("api")


def test_what_is_configured_stays_though_it_was_seen() -> None:
    topology = Topology(CALLS)
    topology.saw("api", "redis", 10.0)
    topology.forget(10 * LIVES_S)
    assert "redis" in topology.around("api")
