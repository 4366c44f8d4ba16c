"""Which alerts an inventory gets about cluster, backups, deliveries and cost, and their boards."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from abops.inventory.load import load_inventory
from abops.inventory.model import Inventory
from abops.observability.boards.backups import backups_board
from abops.observability.boards.cost import cost_board
from abops.observability.boards.delivery import delivery_board
from abops.observability.boards.model import FULL, USUAL_NO_VALUE, Board
from abops.observability.catalogue.alert import Alert
from abops.observability.catalogue.backup import backup_alerts
from abops.observability.catalogue.cost import cost_alerts
from abops.observability.catalogue.delivery import delivery_alerts
from abops.observability.catalogue.histories import counted, since, stepped
from abops.observability.catalogue.kubernetes import kubernetes_alerts

SHIPPED = load_inventory(Path(__file__).parents[3] / "platform.yaml")
EVERY = [
    *kubernetes_alerts(SHIPPED),
    *backup_alerts(SHIPPED),
    *delivery_alerts(SHIPPED),
    *cost_alerts(SHIPPED),
]
BOARDS = [backups_board(), delivery_board(), cost_board()]


def without(**parts: object) -> Inventory:
    return SHIPPED.model_copy(update=parts)


def named(name: str, inventory: Inventory = SHIPPED) -> list[Alert]:
    return [alert for alert in kubernetes_alerts(inventory) if alert.name == name]


def test_nobody_runs_machines_so_nobody_is_told_of_a_cluster() -> None:
    nobody = without(platform=())

    assert ((), (), ()) == (
        kubernetes_alerts(nobody),
        delivery_alerts(nobody),
        cost_alerts(nobody),
    )


def test_without_a_database_there_is_nothing_to_back_up() -> None:
    assert () == backup_alerts(without(stores=()))


def test_containers_of_tier_1_page_and_all_others_warn() -> None:
    second = SHIPPED.services[0].model_copy(update={"tier": 2})
    paging, warning = named(
        "KubePodCrashLooping", without(services=(second, *SHIPPED.services[1:]))
    )

    assert ("critical", "warning") == (paging.severity, warning.severity)
    assert '{container=~"beat|bot|worker"}' in paging.expr
    assert '{container!~"beat|bot|worker"}' in warning.expr


def test_slow_is_what_the_objective_calls_slow() -> None:
    (alert,) = named("KubeThrottledAndSlow")

    assert "service:http_server_request_duration_seconds:p99 > 0.5" in alert.expr
    assert [] == named("KubeThrottledAndSlow", without(slos=()))


@pytest.mark.parametrize("alert", EVERY, ids=lambda alert: f"{alert.name}-{alert.instance}")
def test_every_alert_says_where_it_belongs_and_what_not_to_do(alert: Alert) -> None:
    assert {"component", "category", "tier", "team"} <= alert.labels.keys()
    assert alert.board in {"infrastructure", "backups", "delivery", "cost"}
    assert any(case.fires for case in alert.cases)
    assert not all(case.fires for case in alert.cases)
    assert "```" in alert.runbook.diagnosis
    assert re.search(r"not\b|[Nn]ever\b|wait\b", alert.runbook.mitigation)


def test_two_entries_of_one_name_are_told_apart() -> None:
    assert {1} == set(Counter((alert.name, alert.instance) for alert in EVERY).values())


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_board_without_data_says_how_to_get_them(board: Board) -> None:
    panels = [panel for row in board.rows for panel in row.panels]

    assert USUAL_NO_VALUE not in {panel.no_value for panel in panels}
    assert [0] * len(board.rows) == [sum(p.width for p in row.panels) % FULL for row in board.rows]


def test_a_history_changes_at_the_samples_it_names() -> None:
    assert "1x2 2x1 3x60" == counted(3, 5)
    assert "0x19 7x2" == stepped([(20, 7)], 0, 2)


def test_a_time_stamp_stays_as_long_ago() -> None:
    assert "-3600+15x400" == since(3600, timedelta(seconds=15))
    assert "-691200+25200x8" == since(691_200, timedelta(hours=7), 8)
