"""Cases of the recorded series that services and their calls are measured by."""

from typing import Final

from abops.observability.catalogue.recording import RecordingCase
from abops.observability.catalogue.recording_cases import (
    Labels,
    quantile_cases,
    rate_cases,
    ratio_cases,
    sum_cases,
)

Cases = dict[str, tuple[RecordingCase, ...]]
_API: Final = {"env": "local", "service": "api"}
_BOT: Final = {"env": "local", "service": "bot"}
_WORKER: Final = {"env": "local", "service": "worker"}


def service_cases() -> Cases:
    """Return the cases by the name of their recording."""
    return {**_http(), **_bot(), **_telegram(), **_tasks(), **_stores()}


def _codes(label: str, *values: str) -> list[Labels]:
    return [{label: value} for value in values]


def _http() -> Cases:
    seconds = "http_server_request_duration_seconds"
    codes, total = (
        "service_route_code:http_server_requests:rate5m",
        "service:http_server_requests:rate5m",
    )
    by_route, buckets = (
        f"service_route_le:{seconds}_bucket:rate5m",
        f"service_le:{seconds}_bucket:rate5m",
    )
    route = {"http_route": "/api/v1/posts"}
    code, own = "http_response_status_code", ("/health", "/ready", "/metrics")
    answered = {**_API, **route, code: "200"}
    return {
        codes: rate_cases(
            f"{seconds}_count", answered, [{**answered, "http_route": path} for path in own]
        ),
        by_route: rate_cases(
            f"{seconds}_bucket",
            {**_API, **route, "le": "0.5"},
            [{**_API, "http_route": path, "le": "0.5"} for path in own],
        ),
        buckets: sum_cases(by_route, {**_API, "le": "0.5"}, [route, {"http_route": "/api/v1/me"}]),
        total: sum_cases(codes, _API, [{**route, code: "200"}, {**route, code: "503"}]),
        "service:http_server_errors:ratio_rate5m": ratio_cases(
            codes, total, _API, _codes(code, "500", "503"), _codes(code, "200", "302", "404")
        ),
        "service:http_server_client_errors:ratio_rate5m": ratio_cases(
            codes, total, _API, _codes(code, "404", "429", "499"), _codes(code, "200", "500")
        ),
        f"service:{seconds}:p50": quantile_cases(0.5, buckets, _API),
        f"service:{seconds}:p95": quantile_cases(0.95, buckets, _API),
        f"service:{seconds}:p99": quantile_cases(0.99, buckets, _API),
        f"service_route:{seconds}:p95": quantile_cases(0.95, by_route, {**_API, **route}),
        "service:http_server_exceptions:rate5m": rate_cases("http_server_exceptions_total", _API),
        "service:auth_failures:rate5m": rate_cases("auth_failures_total", _API),
    }


def _bot() -> Cases:
    seconds, lag = "telegram_bot_update_duration_seconds", "telegram_bot_update_lag_seconds"
    updates = "service_handler_type_status:telegram_bot_updates:rate5m"
    total = "service:telegram_bot_updates:rate5m"
    handled = {"handler": "on_start", "update_type": "message", "status": "ok"}
    return {
        updates: rate_cases(f"{seconds}_count", {**_BOT, **handled}),
        total: sum_cases(updates, _BOT, [handled, {**handled, "status": "error"}]),
        "service:telegram_bot_errors:ratio_rate5m": ratio_cases(
            updates, total, _BOT, [{**handled, "status": "error"}], [handled]
        ),
        **_timed(seconds, _BOT),
        **_timed(lag, _BOT),
        "service:telegram_bot_blocked:rate5m": rate_cases("telegram_bot_blocked_total", _BOT),
    }


def _timed(seconds: str, kept: Labels) -> Cases:
    """Return the cases of a histogram recorded by service: its buckets and their p95."""
    buckets = f"service_le:{seconds}_bucket:rate5m"
    return {
        buckets: rate_cases(f"{seconds}_bucket", {**kept, "le": "0.5"}),
        f"service:{seconds}:p95": quantile_cases(0.95, buckets, kept),
    }


def _telegram() -> Cases:
    calls = "service_method_code:telegram_api_requests:rate5m"
    total = "service:telegram_api_requests:rate5m"
    sent = {"method": "sendMessage", "code": "200"}
    return {
        calls: rate_cases("telegram_api_requests_total", {**_WORKER, **sent}),
        total: sum_cases(calls, _WORKER, [sent, {**sent, "code": "429"}]),
        "service:telegram_api_errors:ratio_rate5m": ratio_cases(
            calls,
            total,
            _WORKER,
            _codes("code", "400", "403", "500", "network"),
            _codes("code", "200", "429"),
        ),
        "service:telegram_api_unanswered:ratio_rate5m": ratio_cases(
            calls,
            total,
            _WORKER,
            _codes("code", "500", "502", "network"),
            _codes("code", "200", "403", "429"),
        ),
        "service:telegram_api_limited:ratio_rate5m": ratio_cases(
            calls, total, _WORKER, _codes("code", "429"), _codes("code", "200", "403", "502")
        ),
        **_timed("telegram_api_request_duration_seconds", _WORKER),
    }


def _tasks() -> Cases:
    seconds, wait = "celery_task_runtime_seconds", "celery_task_queue_wait_seconds"
    tasks, total = "service_task_state:celery_tasks:rate5m", "service:celery_tasks:rate5m"
    task = {"task": "bot.tasks.send_scheduled_message"}
    done, queue = {**task, "state": "success"}, {**_WORKER, "queue": "messages"}
    by_task, by_queue = f"service_task_le:{seconds}_bucket:rate5m", f"queue_le:{wait}_bucket:rate5m"
    return {
        tasks: rate_cases(f"{seconds}_count", {**_WORKER, **done}),
        total: sum_cases(tasks, _WORKER, [done, {**task, "state": "failure"}]),
        "service:celery_task_failures:ratio_rate5m": ratio_cases(
            tasks,
            total,
            _WORKER,
            _codes("state", "failure", "timeout", "lost", "rejected"),
            _codes("state", "success", "retry", "ignored", "revoked"),
        ),
        "service:celery_task_retries:ratio_rate5m": ratio_cases(
            tasks, total, _WORKER, _codes("state", "retry"), _codes("state", "success", "failure")
        ),
        by_task: rate_cases(f"{seconds}_bucket", {**_WORKER, **task, "le": "0.5"}),
        f"service_task:{seconds}:p99": quantile_cases(0.99, by_task, {**_WORKER, **task}),
        by_queue: rate_cases(f"{wait}_bucket", {**queue, "le": "15"}),
        f"queue:{wait}:p95": quantile_cases(0.95, by_queue, queue),
    }


def _stores() -> Cases:
    seconds = "db_client_operation_duration_seconds"
    kept = {**_API, "db_system_name": "postgresql"}
    buckets = f"service_system_le:{seconds}_bucket:rate5m"
    return {
        buckets: rate_cases(f"{seconds}_bucket", {**kept, "le": "0.5"}),
        f"service_system:{seconds}:p95": quantile_cases(0.95, buckets, kept),
        "service_system:db_client_operations:rate5m": rate_cases(f"{seconds}_count", kept),
    }
