"""What each process shows on /metrics, against the contract."""

import pytest

from support.servers import wait_until
from support.workload import FIRST_CHANNEL, Workload

CONTRACT = {
    "api": {
        "http_server_request_duration_seconds_count": {
            "http_request_method",
            "http_route",
            "http_response_status_code",
        },
        "http_server_active_requests": set(),
        "event_loop_lag_seconds": set(),
        "auth_failures_total": {"reason"},
        "db_client_operation_duration_seconds_count": {"db_system_name", "db_operation_name"},
        "db_client_connection_count": {"state"},
        "db_client_connection_max": set(),
        "db_client_connection_pending_requests": set(),
        "db_client_connection_timeouts_total": set(),
    },
    "bot": {
        "telegram_bot_update_duration_seconds_count": {"handler", "update_type", "status"},
        "telegram_bot_update_lag_seconds_count": set(),
        "telegram_bot_poll_last_success_timestamp_seconds": set(),
        "telegram_bot_webhook_pending_updates": set(),
        "telegram_bot_blocked_total": set(),
        "telegram_api_requests_total": {"method", "code"},
        "telegram_api_request_duration_seconds_count": {"method"},
        "telegram_api_retry_after_seconds_total": set(),
        "http_client_request_duration_seconds_count": {
            "server_address",
            "http_response_status_code",
        },
        "db_client_operation_duration_seconds_count": {"db_system_name", "db_operation_name"},
    },
    "worker": {
        "celery_task_runtime_seconds_count": {"task", "state"},
        "celery_task_queue_wait_seconds_count": {"queue"},
        "celery_workers_active": set(),
        "celery_pool_busy": set(),
        "telegram_api_requests_total": {"method", "code"},
        "telegram_api_request_duration_seconds_count": {"method"},
        "telegram_api_retry_after_seconds_total": set(),
        "telegram_bot_blocked_total": set(),
        "http_client_request_duration_seconds_count": {
            "server_address",
            "http_response_status_code",
        },
        "analyticbot_posts_total": {"result"},
        "analyticbot_post_delay_seconds_count": set(),
        "analyticbot_analysis_duration_seconds_count": set(),
        "analyticbot_reports_generated_total": {"format"},
    },
    "beat": {
        "celery_beat_last_tick_timestamp_seconds": {"schedule"},
        "celery_beat_interval_seconds": {"schedule"},
    },
}
SCHEDULES = {
    "send_scheduled_message": 1.0,  # shortened for the tests
    "update_post_views_task": 2.0,
    "health_check_task": 2.0,
    "update_prometheus_metrics": 300.0,
    "cleanup_metrics_task": 3600.0,
    "maintenance_cleanup": 3600.0,
    "cleanup_old_data": 86400.0,
}


@pytest.mark.parametrize("process", CONTRACT)
def test_a_process_shows_the_metrics_of_its_contract(
    workload: Workload, process: str, unique: str
) -> None:
    _use_everything(workload, unique)
    wanted = CONTRACT[process]

    wait_until(
        lambda: wanted.keys() <= workload.metrics(process).keys(),
        what=f"{process}: {sorted(wanted.keys() - workload.metrics(process).keys())}",
        timeout_s=20,
    )

    samples = workload.metrics(process)
    assert wanted == {name: set(samples[name][0][0]) for name in wanted}


def test_no_label_names_a_person_or_a_channel(workload: Workload, unique: str) -> None:
    _use_everything(workload, unique)

    for process in CONTRACT:
        for name, samples in workload.metrics(process).items():
            for labels, _ in samples:
                assert not {"user", "user_id", "chat", "chat_id", "channel", "channel_id"} & set(
                    labels
                ), name
                values = {value for key, value in labels.items() if key != "le"}
                assert not any(value.isdigit() and int(value) > 999 for value in values), name


def test_routes_are_templates(workload: Workload) -> None:
    workload.get(f"/api/v1/channels/{FIRST_CHANNEL}")

    labels = {"http_route": "/api/v1/channels/{channel_id}", "http_response_status_code": "200"}
    assert workload.metric("api", "http_server_request_duration_seconds_count", **labels) >= 1


def test_beat_shows_every_schedule_with_its_interval(workload: Workload) -> None:
    samples = workload.metrics("beat")["celery_beat_interval_seconds"]

    assert SCHEDULES == {labels["schedule"]: value for labels, value in samples}


def test_counts_made_in_children_reach_the_parent(workload: Workload, unique: str) -> None:
    before = workload.metric("worker", "analyticbot_posts_total", result="sent")

    for number in range(5):
        workload.post_to_channel(f"{unique} {number}")

    wait_until(
        lambda: workload.metric("worker", "analyticbot_posts_total", result="sent") >= before + 5,
        what="five posts counted",
        timeout_s=20,
    )


@pytest.mark.parametrize("process", ["bot", "worker"])
def test_calls_to_telegram_are_calls_to_another_service(workload: Workload, process: str) -> None:
    name = "http_client_request_duration_seconds_count"
    answered = {"server_address": "127.0.0.1", "http_response_status_code": "200"}
    cut = {"server_address": "127.0.0.1", "http_response_status_code": "error"}
    wait_until(lambda: workload.metric(process, name, **answered) > 0, what="a call")
    before = workload.metric(process, name, **cut)

    with workload.fault("telegram_down"):
        if process == "bot":  # the poll that is held hands it out; the answer to it is cut
            workload.write_to_bot("/start")
        wait_until(
            lambda: workload.metric(process, name, **cut) > before,
            what="a call without an answer",
            timeout_s=30,
        )


def test_a_long_poll_is_no_slow_call(workload: Workload) -> None:
    polls, calls = "telegram_api_requests_total", "http_client_request_duration_seconds_count"
    before = workload.metric("bot", polls, method="getUpdates")
    wait_until(
        lambda: workload.metric("bot", polls, method="getUpdates") > before + 10,
        what="ten polls",
    )

    page = workload.metrics("bot")  # one page: both counts are of the same moment
    expected = sum(value for labels, value in page[polls] if labels["method"] != "getUpdates")
    assert expected == pytest.approx(sum(value for _, value in page[calls]), abs=5)


def _use_everything(workload: Workload, unique: str) -> None:
    workload.await_status(workload.post_to_channel(unique), "sent")
    workload.get(f"/api/v1/channels/{FIRST_CHANNEL}")
    workload.post(f"/api/v1/analytics/channels/{FIRST_CHANNEL}/reports")
