"""Boards of single services: rate, errors and duration first, then what they lean on and use."""

from abops.inventory.model import Inventory, Service
from abops.observability.boards.model import FULL, Board, Limit, Panel, Query, Row, chart, stat

CLUSTER = "no data: this environment has no Kubernetes"


def service_boards(inventory: Inventory) -> tuple[Board, ...]:
    """Return a board for each service whose kind has one."""
    makers = {"fastapi": _api, "aiogram": _bot, "celery": _worker}
    return tuple(makers[s.kind](s) for s in inventory.services if s.kind in makers)


def _where(service: Service) -> str:
    return f'env=~"$env",service="{service.name}"'


def _up(service: Service) -> Panel:
    return stat(
        "Up",
        "percentunit",
        f"avg(up{{{_where(service)}}})",
        "Instances that answer Prometheus.",
        Limit(0.5, "yellow"),
        Limit(1, "green"),
        small_is_bad=True,
    )


def _alerts(service: Service) -> Panel:
    return stat(
        "Alerts",
        "short",
        f'count(ALERTS{{{_where(service)},alertstate="firing"}}) or vector(0)',
        "Alerts about this service that fire now.",
        Limit(1, "yellow"),
        Limit(3),
    )


def _use(service: Service) -> Row:
    """Return what the service uses of what it may use."""
    where = _where(service)
    return Row(
        "What it uses",
        (
            chart(
                "CPU",
                "short",
                "Cores in use, and cores allowed.",
                Query(f"service:cpu_cores:rate5m{{{where}}}", "used"),
                Query(f"service:cpu_limit_cores:sum{{{where}}}", "limit"),
            ),
            chart(
                "Memory",
                "bytes",
                "Resident memory of the largest instance, and its limit.",
                Query(f"service:memory_bytes:max{{{where}}}", "used"),
                Query(f"service:memory_limit_bytes:min{{{where}}}", "limit"),
            ),
            chart(
                "Restarts",
                "short",
                "Restarts in the hour before each moment.",
                Query(f"service:restarts:increase1h{{{where}}}", "restarts"),
                limits=(Limit(1),),
            ),
        ),
        collapsed=True,
    )


def _words(service: Service, alerts: str) -> Row:
    """Return the way to logs, traces and runbooks."""
    name = service.name
    return Row(
        "Logs and runbooks",
        (
            Panel(
                title="Where to look next",
                description="The console's pages about this service.",
                unit="short",
                queries=(),
                kind="text",
                width=FULL,
                height=4,
                text=(
                    f"- [Logs of {name}](/logs?service={name})\n"
                    f"- [Traces of {name}](/traces?service={name})\n"
                    f"- [Incidents of {name}](/incidents?service={name})\n"
                    f"- Runbooks: {alerts}\n"
                ),
            ),
        ),
        collapsed=True,
    )


def _runbooks(*names: str) -> str:
    return ", ".join(f"[{name}](/runbooks/{name})" for name in names)


def _calls_stores(service: Service) -> tuple[Panel, ...]:
    where = _where(service)
    seconds = "service_system:db_client_operation_duration_seconds:p95"
    return (
        chart(
            "Stores, p95",
            "s",
            "Time of the slowest twentieth of operations, by store.",
            Query(f"{seconds}{{{where}}}", "{{db_system_name}}"),
            signals=True,
        ),
        chart(
            "Store operations",
            "ops",
            "Operations each second, by store.",
            Query(f"service_system:db_client_operations:rate5m{{{where}}}", "{{db_system_name}}"),
        ),
        chart(
            "Connection pool",
            "short",
            "Database connections in use, at hand, and callers that wait for one.",
            Query(f"sum by (state) (db_client_connection_count{{{where}}})", "{{state}}"),
            Query(f"sum(db_client_connection_pending_requests{{{where}}})", "waiting"),
            Query(f"sum(db_client_connection_max{{{where}}})", "most"),
            no_value="no data: this service has no pool, or exports none",
        ),
    )


def _telegram(service: Service) -> tuple[Panel, ...]:
    where = _where(service)
    calls = "service_method_code:telegram_api_requests:rate5m"
    return (
        chart(
            "Telegram calls by method",
            "reqps",
            "Calls to Telegram each second.",
            Query(f"sum by (method) ({calls}{{{where}}})", "{{method}}"),
            stacked=True,
        ),
        chart(
            "Telegram answers that are errors",
            "percentunit",
            "Share of calls that failed, and of calls that Telegram held back (429).",
            Query(f"service:telegram_api_errors:ratio_rate5m{{{where}}}", "failed"),
            Query(f"service:telegram_api_limited:ratio_rate5m{{{where}}}", "held back"),
            limits=(Limit(0.01, "yellow"), Limit(0.1)),
            signals=True,
        ),
        chart(
            "Telegram latency p95",
            "s",
            "Time of the slowest twentieth of calls, without long polls.",
            Query(f"service:telegram_api_request_duration_seconds:p95{{{where}}}", "p95"),
            signals=True,
        ),
    )


def _api_now(service: Service) -> Row:
    where = _where(service)
    seconds = "http_server_request_duration_seconds"
    return Row(
        "Now",
        (
            _up(service),
            stat(
                "Requests",
                "reqps",
                f"service:http_server_requests:rate5m{{{where}}}",
                "Requests each second, without health checks.",
            ),
            stat(
                "Errors",
                "percentunit",
                f"service:http_server_errors:ratio_rate5m{{{where}}}",
                "Share of requests answered with 5xx.",
                Limit(0.001, "yellow"),
                Limit(0.05),
            ),
            stat(
                "p95",
                "s",
                f"service:{seconds}:p95{{{where}}}",
                "95 of 100 requests are answered within this time.",
                Limit(0.5, "yellow"),
                Limit(1),
            ),
            stat(
                "In flight",
                "short",
                f"sum(http_server_active_requests{{{where}}})",
                "Requests being answered now.",
            ),
            _alerts(service),
        ),
    )


def _api(service: Service) -> Board:
    where = _where(service)
    seconds = "http_server_request_duration_seconds"
    codes = f"service_route_code:http_server_requests:rate5m{{{where}}}"
    return Board(
        uid=f"ab-{service.name}",
        title=f"Service: {service.name}",
        description="Requests, errors, latency of the HTTP API, and what it leans on.",
        tags=("service",),
        rows=(
            _api_now(service),
            Row("Rate, errors, duration", _api_red(where, codes, seconds)),
            Row("What it leans on", _calls_stores(service)),
            Row(
                "In detail",
                (
                    chart(
                        "p95 by route",
                        "s",
                        "95 of 100 requests of each route are answered within this time.",
                        Query(f"service_route:{seconds}:p95{{{where}}}", "{{http_route}}"),
                        signals=True,
                    ),
                    chart(
                        "Exceptions nobody caught",
                        "ops",
                        "Programming errors each second: any is worth a look.",
                        Query(f"service:http_server_exceptions:rate5m{{{where}}}", "exceptions"),
                        no_value="no exception in this time",
                    ),
                    chart(
                        "Refused logins",
                        "ops",
                        "Logins that failed each second. A burst is somebody trying passwords.",
                        Query(f"service:auth_failures:rate5m{{{where}}}", "refused"),
                        no_value="no refused login in this time",
                    ),
                    chart(
                        "Event loop lag",
                        "s",
                        "Longest delay in 15 s: above 250 ms something blocks the loop.",
                        Query(f"max(event_loop_lag_seconds{{{where}}})", "lag"),
                        limits=(Limit(0.25),),
                    ),
                ),
                collapsed=True,
            ),
            _use(service),
            _words(service, _runbooks("ProbeFailed", "ApiErrorStorm", "ApiHighErrorRatio")),
        ),
    )


def _api_red(where: str, codes: str, seconds: str) -> tuple[Panel, ...]:
    return (
        chart(
            "Requests by code",
            "reqps",
            "Requests each second by the status they were answered with.",
            Query(f"sum by (http_response_status_code) ({codes})", "{{http_response_status_code}}"),
            stacked=True,
            signals=True,
        ),
        chart(
            "Error ratio",
            "percentunit",
            "Share of requests answered with 5xx, and with 4xx.",
            Query(f"service:http_server_errors:ratio_rate5m{{{where}}}", "5xx"),
            Query(f"service:http_server_client_errors:ratio_rate5m{{{where}}}", "4xx"),
            limits=(Limit(0.05),),
            signals=True,
        ),
        Panel(
            title="Latency",
            description="Time within which half, 95 and 99 of 100 requests are answered.",
            unit="s",
            queries=tuple(
                Query(f"service:{seconds}:{name}{{{where}}}", name, exemplars=True)
                for name in ("p50", "p95", "p99")
            ),
            limits=(Limit(0.5),),
            signals=True,
        ),
    )


def _bot_now(service: Service) -> Row:
    where = _where(service)
    return Row(
        "Now",
        (
            _up(service),
            stat(
                "Since the last poll",
                "s",
                f"time() - max(telegram_bot_poll_last_success_timestamp_seconds{{{where}}})",
                "Time since Telegram last answered the poll. Above 60 s the bot is deaf.",
                Limit(30, "yellow"),
                Limit(60),
            ),
            stat(
                "Updates",
                "ops",
                f"service:telegram_bot_updates:rate5m{{{where}}}",
                "Updates handled each second.",
            ),
            stat(
                "Handler errors",
                "percentunit",
                f"service:telegram_bot_errors:ratio_rate5m{{{where}}}",
                "Share of updates that ended in an exception.",
                Limit(0.05, "yellow"),
                Limit(0.25),
            ),
            stat(
                "Reply lag p95",
                "s",
                f"service:telegram_bot_update_lag_seconds:p95{{{where}}}",
                "Age of a message when its handling begins.",
                Limit(30),
            ),
            _alerts(service),
        ),
    )


def _bot(service: Service) -> Board:
    where = _where(service)
    updates = f"service_handler_type_status:telegram_bot_updates:rate5m{{{where}}}"
    return Board(
        uid=f"ab-{service.name}",
        title=f"Service: {service.name}",
        description="Polling, updates, handlers and calls of the Telegram bot.",
        tags=("service",),
        rows=(
            _bot_now(service),
            Row(
                "Rate, errors, duration",
                (
                    chart(
                        "Updates by handler",
                        "ops",
                        "What people ask for.",
                        Query(f"sum by (handler) ({updates})", "{{handler}}"),
                        stacked=True,
                        signals=True,
                    ),
                    chart(
                        "Handler errors",
                        "percentunit",
                        "Share of updates that ended in an exception.",
                        Query(f"service:telegram_bot_errors:ratio_rate5m{{{where}}}", "errors"),
                        limits=(Limit(0.05, "yellow"), Limit(0.25)),
                        signals=True,
                    ),
                    chart(
                        "Handling time p95",
                        "s",
                        "Time of the slowest twentieth of updates.",
                        Query(
                            f"service:telegram_bot_update_duration_seconds:p95{{{where}}}", "p95"
                        ),
                        limits=(Limit(2.5),),
                        signals=True,
                    ),
                ),
            ),
            Row("Telegram", _telegram(service)),
            Row("What it leans on", _calls_stores(service)),
            _use(service),
            _words(service, _runbooks("ProbeFailed", "BotPollingStalled", "BotHandlerErrors")),
        ),
    )


def _worker(service: Service) -> Board:
    where = _where(service)
    tasks = f"service_task_state:celery_tasks:rate5m{{{where}}}"
    return Board(
        uid=f"ab-{service.name}",
        title=f"Service: {service.name}",
        description="Tasks, queues and the pool of the Celery worker, and beat that feeds it.",
        tags=("service",),
        rows=(
            Row(
                "Now",
                (
                    _up(service),
                    stat(
                        "Tasks",
                        "ops",
                        f"service:celery_tasks:rate5m{{{where}}}",
                        "Tasks finished each second.",
                    ),
                    stat(
                        "Failures",
                        "percentunit",
                        f"service:celery_task_failures:ratio_rate5m{{{where}}}",
                        "Share of tasks that failed, timed out or were lost.",
                        Limit(0.01, "yellow"),
                        Limit(0.05),
                    ),
                    stat(
                        "Waiting",
                        "short",
                        'sum(celery_queue_length{env=~"$env"})',
                        "Tasks that wait in all queues.",
                        Limit(50, "yellow"),
                        Limit(200),
                    ),
                    stat(
                        "Pool busy",
                        "percentunit",
                        f"sum(celery_pool_busy{{{where}}})"
                        f" / (sum(celery_workers_active{{{where}}}) > 0)",
                        "Processes that run a task, of those there are.",
                        Limit(0.9, "yellow"),
                    ),
                    _alerts(service),
                ),
            ),
            Row("Rate, errors, duration", _worker_red(where, tasks)),
            Row("Queues", _queues(where)),
            Row("Telegram", _telegram(service)),
            _use(service),
            _words(service, _runbooks("WorkerQueueStuck", "WorkerDown", "WorkerPostsOverdue")),
        ),
    )


def _worker_red(where: str, tasks: str) -> tuple[Panel, ...]:
    return (
        chart(
            "Tasks by name",
            "ops",
            "Tasks finished each second.",
            Query(f"sum by (task) ({tasks})", "{{task}}"),
            stacked=True,
            signals=True,
        ),
        chart(
            "Tasks that did not succeed",
            "ops",
            "Failures, retries, timeouts and lost processes each second.",
            Query(
                "sum by (state)"
                f' (service_task_state:celery_tasks:rate5m{{{where},state!="success"}})',
                "{{state}}",
            ),
            no_value="every task succeeded in this time",
            signals=True,
        ),
        chart(
            "Runtime p99 by task",
            "s",
            "99 of 100 runs are done within this time; at 540 s a task is told to stop.",
            Query(f"service_task:celery_task_runtime_seconds:p99{{{where}}}", "{{task}}"),
            limits=(Limit(430),),
            signals=True,
        ),
    )


def _queues(where: str) -> tuple[Panel, ...]:
    return (
        chart(
            "Waiting tasks",
            "short",
            "Tasks that wait, by queue.",
            Query('max by (queue) (celery_queue_length{env=~"$env"})', "{{queue}}"),
        ),
        chart(
            "Wait p95",
            "s",
            "Time between sending and starting, for the slowest twentieth of tasks.",
            Query(f"queue:celery_task_queue_wait_seconds:p95{{{where}}}", "{{queue}}"),
            limits=(Limit(60),),
        ),
        chart(
            "Since beat's last tick",
            "s",
            "Time since each schedule last sent its task.",
            Query(
                'time() - max by (schedule) (celery_beat_last_tick_timestamp_seconds{env=~"$env"})',
                "{{schedule}}",
            ),
        ),
    )
