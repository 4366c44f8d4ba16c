"""Faults of the platform as the alerts that told of them, against the cause that is known."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from abops.alerts.model import Alert
from abops.alerts.rootcause.likely import likely_causes
from abops.alerts.rootcause.live import incident_evidence, platform_edges
from abops.alerts.rootcause.model import AlertSeen, Cause, ChangeSeen, Edge, History
from abops.inventory.load import load_inventory

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
EDGES = platform_edges(load_inventory(Path(__file__).parents[4] / "platform.yaml"))
Fired = tuple[float, str, str]

DATABASE_STOPPED: tuple[Fired, ...] = (
    (0, "ApiErrorStorm", "api"),
    (1, "ProbeFailed", "api"),
    (3, "PostgresDown", "postgres"),
    (8, "ApiHighErrorRatio", "api"),
    (9, "SLOErrorBudgetBurnFast", "api"),
    (15, "BotHandlerErrors", "bot"),
    (40, "WorkerTaskFailures", "worker"),
)
REDIS_STOPPED: tuple[Fired, ...] = (
    (0, "ProbeFailed", "api"),
    (2, "RedisDown", "redis"),
    (6, "ApiErrorStorm", "api"),
    (30, "WorkerDown", "worker"),
    (61, "WorkerBeatNotTicking", "beat"),
)
TELEGRAM_AWAY: tuple[Fired, ...] = (
    (0, "ProbeFailed", "bot"),
    (12, "BotPollingStalled", "bot"),
    (20, "TelegramApiDown", "bot"),
)
WORKER_KILLED: tuple[Fired, ...] = (
    (0, "TargetVanished", "worker"),
    (55, "WorkerDown", "worker"),
    (300, "WorkerPostsOverdue", "worker"),
)
BAD_DEPLOY: tuple[Fired, ...] = (
    (0, "ApiHighErrorRatio", "api"),
    (4, "ApiUnhandledExceptions", "api"),
    (20, "SLOErrorBudgetBurnFast", "api"),
    (35, "PostgresConnections", "postgres"),
)
COMPONENTS = {"TelegramApiDown": "telegram", "PostgresDown": "postgres", "RedisDown": "redis"}


def alerts_of(fired: Iterable[Fired], **labels: str) -> list[Alert]:
    return [
        Alert(
            fingerprint=f"{name}-{service}-{labels.get('pod', '')}",
            name=name,
            severity="critical",
            service=service,
            env="local",
            state="firing",
            labels={
                "alertname": name,
                "service": service,
                "instance": "127.0.0.1:1234",
                "component": COMPONENTS.get(name, "http"),
                **labels,
            },
            annotations={},
            starts_at=NOON + timedelta(seconds=after),
            ends_at=None,
        )
        for after, name, service in fired
    ]


def a_year_of_incidents() -> History:
    """Forty incidents: the API complains in most of them, whatever the cause."""
    history = History()
    for number in range(40):
        fired = [("api", "SLOErrorBudgetBurnFast"), ("api", "ApiHighErrorRatio")]
        fired += [("api", "ProbeFailed"), ("api", "ApiErrorStorm")] if number % 2 else []
        fired += [("postgres", "PostgresDown")] if number % 20 == 0 else []
        history = history.with_incident(AlertSeen(entity, kind) for entity, kind in fired)
    return history


def causes(
    fired: Iterable[Fired], history: History, changes: tuple[ChangeSeen, ...] = ()
) -> tuple[Cause, ...]:
    return likely_causes(
        incident_evidence(alerts_of(fired), edges=EDGES, history=history, changes=changes)
    )


@pytest.mark.parametrize("history", [History(), a_year_of_incidents()], ids=["new", "a year"])
@pytest.mark.parametrize(
    ("fired", "expected"),
    [
        (DATABASE_STOPPED, "postgres"),
        (REDIS_STOPPED, "redis"),
        (TELEGRAM_AWAY, "telegram"),
        (WORKER_KILLED, "worker"),
    ],
    ids=["database stopped", "redis stopped", "telegram away", "worker killed"],
)
def test_the_part_at_fault_is_named_first(
    fired: tuple[Fired, ...], expected: str, history: History
) -> None:
    assert expected == causes(fired, history)[0].entity


@pytest.mark.parametrize("history", [History(), a_year_of_incidents()], ids=["new", "a year"])
def test_a_bad_deploy_is_named_though_the_database_suffers_from_it(history: History) -> None:
    deploy = ChangeSeen("api", (NOON - timedelta(minutes=6)).timestamp(), "v2.4.0")
    first, second, *_ = causes(BAD_DEPLOY, history, (deploy,))
    assert ["api", "postgres"] == [first.entity, second.entity]
    assert "deployed 6 min before (v2.4.0)" == first.terms[0]


@pytest.mark.parametrize("minutes", [6, 25])
def test_a_deploy_by_chance_does_not_hide_that_the_database_is_down(minutes: int) -> None:
    deploy = ChangeSeen("api", (NOON - timedelta(minutes=minutes)).timestamp(), "v2.4.0")
    assert "postgres" == causes(DATABASE_STOPPED, a_year_of_incidents(), (deploy,))[0].entity


def test_without_the_deploy_the_database_would_have_been_named() -> None:
    assert "postgres" == causes(BAD_DEPLOY, a_year_of_incidents())[0].entity


def test_the_reasons_can_be_read_at_night() -> None:
    first, *_ = causes(DATABASE_STOPPED, a_year_of_incidents())
    assert (
        "1 alert: PostgresDown; PostgresDown was seen here in 5 % of past incidents",
        "api, bot, worker call it and may only be its echo",
    ) == first.terms
    assert ("no metrics: decided by alerts alone",) == first.missing


def test_all_shares_together_are_at_most_one() -> None:
    shares = [cause.score for cause in causes(DATABASE_STOPPED, History())]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1


def test_watchdog_and_copies_for_the_direct_page_say_nothing() -> None:
    noise = ((0.0, "Watchdog", "alerts"), (0.0, "DirectPage", "alerts"))
    assert causes(WORKER_KILLED, History()) == causes((*WORKER_KILLED, *noise), History())


def test_the_symptom_is_the_first_part_that_no_alerting_part_calls() -> None:
    assert "api" == incident_evidence(alerts_of(DATABASE_STOPPED), edges=EDGES).symptom


def test_a_called_part_is_not_the_symptom_though_it_fired_first() -> None:
    fired = ((0.0, "PostgresDown", "postgres"), (9.0, "ApiErrorStorm", "api"))
    assert "api" == incident_evidence(alerts_of(fired), edges=EDGES).symptom


def test_pods_hand_down_to_what_their_service_calls() -> None:
    loud = [(0, "ApiErrorStorm", "api"), (0, "ApiHighErrorRatio", "api"), (0, "ApiLate", "api")]
    alerts = [
        *alerts_of(loud, pod="api-7d-x1"),
        *alerts_of([(9, "PostgresDown", "postgres")]),
    ]
    first, *_ = likely_causes(incident_evidence(alerts, edges=EDGES))
    assert "postgres" == first.entity
    assert "api-7d-x1 calls it and may only be its echo" == first.terms[-1]


def test_one_bad_pod_of_three_is_named_and_not_its_service() -> None:
    alerts = alerts_of([(0, "KubePodCrashLooping", "api")], pod="api-7d-x1", node="node-2")
    edges = (*EDGES, *(Edge(f"api-7d-{pod}", "api", "instance_of") for pod in ("x1", "x2", "x3")))
    first, *_ = likely_causes(incident_evidence(alerts, edges=edges))
    assert "api-7d-x1" == first.entity


def test_what_pods_of_an_earlier_release_showed_is_remembered() -> None:
    before = alerts_of([(0, "KubePodCrashLooping", "api")], pod="api-5a-old")
    history = History().with_incident(incident_evidence(before, edges=EDGES).alerts)
    now = alerts_of([(0, "KubePodCrashLooping", "api")], pod="api-7d-x1")
    causes = likely_causes(incident_evidence(now, edges=EDGES, history=history))
    (pod,) = [cause for cause in causes if cause.entity == "api-7d-x1"]
    assert "seen here in 100 % of past incidents" in pod.terms[0]


def test_when_all_pods_complain_it_is_the_service() -> None:
    alerts = [
        alert
        for pod in ("x1", "x2", "x3")
        for alert in alerts_of([(0, "KubePodNotReady", "api")], pod=f"api-7d-{pod}")
    ]
    first, *_ = likely_causes(incident_evidence(alerts, edges=EDGES))
    assert "api" == first.entity
    assert "3 of its 3 instances alert" in first.terms


def test_a_database_whose_alert_names_its_pod_still_draws_its_callers() -> None:
    alerts = [
        *alerts_of(fired for fired in DATABASE_STOPPED if fired[2] != "postgres"),
        *alerts_of([(3, "KubePodCrashLooping", "postgres")], pod="postgres-0"),
    ]
    first, *_ = likely_causes(incident_evidence(alerts, edges=EDGES))
    assert "postgres" == first.entity
    assert "its only known instance alerts" in first.terms


def test_a_machine_that_is_not_ready_is_named_before_the_pods_on_it() -> None:
    alerts = [
        *alerts_of([(0, "KubePodNotReady", "api")], pod="api-7d-x1", node="node-2"),
        *alerts_of([(2, "KubePodNotReady", "bot")], pod="bot-5c-y1", node="node-2"),
        *alerts_of([(9, "KubeNodeNotReady", "kubernetes")], node="node-2"),
    ]
    first, *_ = likely_causes(incident_evidence(alerts, edges=EDGES))
    assert "node-2" == first.entity


def test_without_alerts_and_metrics_nothing_is_named() -> None:
    assert () == likely_causes(incident_evidence([]))
