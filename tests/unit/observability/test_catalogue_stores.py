"""Which alerts an inventory gets about its stores, and the words of their summaries."""

from pathlib import Path

import pytest

from abops.inventory.load import load_inventory
from abops.inventory.model import Inventory, Store
from abops.observability.catalogue.alert import Alert
from abops.observability.catalogue.postgres import postgres_alerts
from abops.observability.catalogue.redis import redis_alerts
from abops.observability.catalogue.wording import amount, duration, percent, size

SHIPPED = load_inventory(Path(__file__).parents[3] / "platform.yaml")


def with_stores(*stores: Store) -> Inventory:
    return SHIPPED.model_copy(update={"stores": stores})


def a_redis(name: str) -> Store:
    return Store(name=name, kind="redis", tier=2, team="dev", port=6379, exporter="redis-exporter")


def evictions(inventory: Inventory) -> list[Alert]:
    return [alert for alert in redis_alerts(inventory) if alert.name == "RedisEvictions"]


def test_a_store_that_does_not_exist_has_no_alerts() -> None:
    assert ((), ()) == (postgres_alerts(with_stores()), redis_alerts(with_stores()))


def test_alerts_belong_to_the_stores_team_and_tier() -> None:
    alerts = redis_alerts(with_stores(a_redis("redis")))

    assert {("dev", "2")} == {(alert.labels["team"], alert.labels["tier"]) for alert in alerts}


def test_a_redis_that_workers_depend_on_must_not_evict_at_all() -> None:
    (alert,) = evictions(SHIPPED)

    assert ("critical", 1.0) == (alert.severity, alert.threshold)
    assert '{service=~"redis"}' in alert.expr


def test_a_cache_may_evict_a_little() -> None:
    broker, cache = evictions(with_stores(a_redis("redis"), a_redis("cache")))

    assert ("critical", "warning") == (broker.severity, cache.severity)
    assert '{service=~"cache"}' in cache.expr


@pytest.mark.parametrize("alerts", [postgres_alerts(SHIPPED), redis_alerts(SHIPPED)])
def test_every_alert_says_where_it_belongs(alerts: tuple[Alert, ...]) -> None:
    for alert in alerts:
        assert {"component", "category", "tier", "team"} <= alert.labels.keys(), alert.name
        assert alert.board in {"postgres", "redis"}, alert.name


def test_two_entries_of_one_name_are_told_apart() -> None:
    alerts = (*postgres_alerts(SHIPPED), *redis_alerts(SHIPPED))

    assert len(alerts) == len({(alert.name, alert.instance) for alert in alerts})


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("88%", percent(0.88)),
        ("33s", duration(33)),
        ("5m 30s", duration(330)),
        ("2h 0m 5s", duration(7205)),
        ("1d 3h 24m 0s", duration(98_640)),
        ("330ms", duration(0.33)),
        ("2.2", amount(2.2)),
        ("1.32G", amount(1.32e9)),
        ("1.1Gi", size(1.1 * 1024**3)),
        ("512", size(512)),
    ],
)
def test_numbers_read_as_prometheus_writes_them(expected: str, said: str) -> None:
    assert expected == said
