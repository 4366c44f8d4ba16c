"""What is computed once and read everywhere: boards, alerts and the console name these series.

A board that reads raw histograms over a day costs seconds; recorded, it costs milliseconds.
Ratios are absent without traffic (`> 0`) and zero without errors (`or 0 *`): absence and health
are different things.
"""

from abops.inventory.model import Inventory
from abops.observability.catalogue.recording import Recording
from abops.observability.catalogue.recording_cases_machines import machine_cases
from abops.observability.catalogue.recording_cases_services import service_cases
from abops.observability.catalogue.recording_cases_stores import store_cases

WINDOW = "5m"
FILESYSTEMS = 'fstype!~"tmpfs|overlay|squashfs|ramfs|devtmpfs"'
"""What lies on a disk."""
_OWN_ROUTES = 'http_route!~"/health|/ready|/metrics"'
"""Health checks succeed while everything else fails: they are in no ratio."""


def recordings(inventory: Inventory) -> tuple[Recording, ...]:
    """Return the recorded series, each after those it reads."""
    cases = {
        **service_cases(),
        **machine_cases(tuple(store.name for store in inventory.stores)),
        **store_cases(),
    }
    pairs = (
        *_http().items(),
        *_bot().items(),
        *_telegram().items(),
        *_tasks().items(),
        *_stores_called().items(),
        *_resources(_own(inventory)).items(),
        *_nodes().items(),
        *_stores().items(),
        *_probes().items(),
    )
    return tuple(
        Recording(record=name, expr=expr, cases=cases.get(name, ())) for name, expr in pairs
    )


def _own(inventory: Inventory) -> str:
    """Return the matcher of processes that are what they measure: an exporter is not its store."""
    return f'job!~"{"|".join(store.name for store in inventory.stores)}"'


def rate(metric: str, by: str, where: str = "") -> str:
    """Return the summed rate of a counter over the common window."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[{WINDOW}]))"


def ratio(bad: str, total: str) -> str:
    """Return bad / total: zero without bad ones, absent without any."""
    return f"({bad} or 0 * {total}) / ({total} > 0)"


def quantile(q: float, buckets: str) -> str:
    """Return a quantile of recorded buckets."""
    return f"histogram_quantile({q}, {buckets})"


def _http() -> dict[str, str]:
    seconds = "http_server_request_duration_seconds"
    codes = "service_route_code:http_server_requests:rate5m"
    total = "service:http_server_requests:rate5m"
    buckets = f"service_le:{seconds}_bucket:rate5m"
    by_route = f"service_route_le:{seconds}_bucket:rate5m"
    return {
        codes: rate(
            f"{seconds}_count", "env, service, http_route, http_response_status_code", _OWN_ROUTES
        ),
        by_route: rate(f"{seconds}_bucket", "env, service, http_route, le", _OWN_ROUTES),
        buckets: f"sum by (env, service, le) ({by_route})",
        total: f"sum by (env, service) ({codes})",
        "service:http_server_errors:ratio_rate5m": ratio(
            f'sum by (env, service) ({codes}{{http_response_status_code=~"5.."}})', total
        ),
        "service:http_server_client_errors:ratio_rate5m": ratio(
            f'sum by (env, service) ({codes}{{http_response_status_code=~"4.."}})', total
        ),
        f"service:{seconds}:p50": quantile(0.5, buckets),
        f"service:{seconds}:p95": quantile(0.95, buckets),
        f"service:{seconds}:p99": quantile(0.99, buckets),
        f"service_route:{seconds}:p95": quantile(0.95, by_route),
        "service:http_server_exceptions:rate5m": rate(
            "http_server_exceptions_total", "env, service"
        ),
        "service:auth_failures:rate5m": rate("auth_failures_total", "env, service"),
    }


def _bot() -> dict[str, str]:
    seconds = "telegram_bot_update_duration_seconds"
    lag = "telegram_bot_update_lag_seconds"
    updates = "service_handler_type_status:telegram_bot_updates:rate5m"
    total = "service:telegram_bot_updates:rate5m"
    return {
        updates: rate(f"{seconds}_count", "env, service, handler, update_type, status"),
        total: f"sum by (env, service) ({updates})",
        "service:telegram_bot_errors:ratio_rate5m": ratio(
            f'sum by (env, service) ({updates}{{status="error"}})', total
        ),
        f"service_le:{seconds}_bucket:rate5m": rate(f"{seconds}_bucket", "env, service, le"),
        f"service:{seconds}:p95": quantile(0.95, f"service_le:{seconds}_bucket:rate5m"),
        f"service_le:{lag}_bucket:rate5m": rate(f"{lag}_bucket", "env, service, le"),
        f"service:{lag}:p95": quantile(0.95, f"service_le:{lag}_bucket:rate5m"),
        "service:telegram_bot_blocked:rate5m": rate("telegram_bot_blocked_total", "env, service"),
    }


def _telegram() -> dict[str, str]:
    seconds = "telegram_api_request_duration_seconds"
    calls = "service_method_code:telegram_api_requests:rate5m"
    total = "service:telegram_api_requests:rate5m"
    return {
        calls: rate("telegram_api_requests_total", "env, service, method, code"),
        total: f"sum by (env, service) ({calls})",
        "service:telegram_api_errors:ratio_rate5m": ratio(
            f'sum by (env, service) ({calls}{{code!~"2..|429"}})', total
        ),
        "service:telegram_api_unanswered:ratio_rate5m": ratio(
            f'sum by (env, service) ({calls}{{code=~"5..|network"}})', total
        ),
        "service:telegram_api_limited:ratio_rate5m": ratio(
            f'sum by (env, service) ({calls}{{code="429"}})', total
        ),
        f"service_le:{seconds}_bucket:rate5m": rate(f"{seconds}_bucket", "env, service, le"),
        f"service:{seconds}:p95": quantile(0.95, f"service_le:{seconds}_bucket:rate5m"),
    }


def _tasks() -> dict[str, str]:
    seconds = "celery_task_runtime_seconds"
    wait = "celery_task_queue_wait_seconds"
    tasks = "service_task_state:celery_tasks:rate5m"
    total = "service:celery_tasks:rate5m"
    return {
        tasks: rate(f"{seconds}_count", "env, service, task, state"),
        total: f"sum by (env, service) ({tasks})",
        "service:celery_task_failures:ratio_rate5m": ratio(
            f'sum by (env, service) ({tasks}{{state=~"failure|timeout|lost|rejected"}})', total
        ),
        "service:celery_task_retries:ratio_rate5m": ratio(
            f'sum by (env, service) ({tasks}{{state="retry"}})', total
        ),
        f"service_task_le:{seconds}_bucket:rate5m": rate(
            f"{seconds}_bucket", "env, service, task, le"
        ),
        f"service_task:{seconds}:p99": quantile(0.99, f"service_task_le:{seconds}_bucket:rate5m"),
        f"queue_le:{wait}_bucket:rate5m": rate(f"{wait}_bucket", "env, service, queue, le"),
        f"queue:{wait}:p95": quantile(0.95, f"queue_le:{wait}_bucket:rate5m"),
    }


def _stores_called() -> dict[str, str]:
    seconds = "db_client_operation_duration_seconds"
    buckets = f"service_system_le:{seconds}_bucket:rate5m"
    return {
        buckets: rate(f"{seconds}_bucket", "env, service, db_system_name, le"),
        f"service_system:{seconds}:p95": quantile(0.95, buckets),
        "service_system:db_client_operations:rate5m": rate(
            f"{seconds}_count", "env, service, db_system_name"
        ),
    }


def _resources(own: str) -> dict[str, str]:
    """Return what parts use and may use: from Kubernetes, else from the processes themselves.

    Containers are named after their service; the scrape of a cluster sets `env`.
    """
    local = "sum by (env, service)"
    peak = "max by (env, service)"
    used = "container_memory_working_set_bytes"
    limit = 'kube_pod_container_resource_limits{resource="memory"}'
    cores = 'kube_pod_container_resource_limits{resource="cpu"}'
    cpu_limit = "service:cpu_limit_cores:sum"
    memory_limit = "service:memory_limit_bytes:min"
    return {
        "service:cpu_cores:rate5m": _either(
            _container(
                f'rate(container_cpu_usage_seconds_total{{container!=""}}[{WINDOW}])', "sum"
            ),
            f"{local} (rate(process_cpu_seconds_total{{{own}}}[{WINDOW}]))",
        ),
        cpu_limit: _either(_container(cores, "sum"), f"{local} (abops_stack_cpu_limit_cores)"),
        "service_resource:saturation:ratio": _either(
            _resource(f"service:cpu_cores:rate5m / ({cpu_limit} > 0)", "cpu"),
            _resource(
                'max by (env, service) (db_client_connection_count{state="used"}'
                " / ignoring (state) (db_client_connection_max > 0))",
                "connections",
            ),
        ),
        "service:cpu_throttled:ratio": (
            _container(
                f'rate(container_cpu_cfs_throttled_periods_total{{container!=""}}[{WINDOW}])', "sum"
            )
            + " / ("
            + _container(f"rate(container_cpu_cfs_periods_total[{WINDOW}])", "sum")
            + " > 0)"
        ),
        "service:memory_bytes:max": _either(
            _container(f'{used}{{container!=""}}', "max"),
            f"{peak} (process_resident_memory_bytes{{{own}}})",
        ),
        memory_limit: _either(
            _container(limit, "min"), "min by (env, service) (abops_stack_memory_limit_bytes)"
        ),
        "service:memory_limit:ratio": f"service:memory_bytes:max / ({memory_limit} > 0)",
        "service:restarts:increase1h": _either(
            _container("increase(kube_pod_container_status_restarts_total[1h])", "sum"),
            f"{local} (increase(abops_stack_restarts_total[1h]))",
        ),
        "service:network_receive_bytes:rate5m": _pod("receive"),
        "service:network_transmit_bytes:rate5m": _pod("transmit"),
        "service:open_files:ratio": (
            f"max by (env, service) (process_open_fds{{{own}}} / (process_max_fds > 0))"
        ),
    }


def _either(cluster: str, local: str) -> str:
    return f"{cluster} or {local}"


def _resource(expr: str, name: str) -> str:
    return f'label_replace({expr}, "resource", "{name}", "", "")'


def _container(expr: str, operation: str) -> str:
    named = f'label_replace({expr}, "service", "$1", "container", "(.+)")'
    return f"{operation} by (env, service) ({named})"


def _pod(way: str) -> str:
    """Return a pod's traffic by service: pods are called `<release>-<service>-<hash>-<random>`."""
    of_replicas = "-[a-z0-9]{6,10}-[a-z0-9]{5}"
    counted = f'rate(container_network_{way}_bytes_total{{pod=~".+{of_replicas}"}}[{WINDOW}])'
    named = f'label_replace({counted}, "service", "$1", "pod", ".*?-?([a-z]+){of_replicas}")'
    return f"sum by (env, service) ({named})"


def _nodes() -> dict[str, str]:
    errors = f"rate(node_network_{{way}}_errs_total[{WINDOW}])"
    packets = f"rate(node_network_{{way}}_packets_total[{WINDOW}])"
    return {
        "node:cpu:ratio": (
            f'1 - avg by (env, instance) (rate(node_cpu_seconds_total{{mode="idle"}}[{WINDOW}]))'
        ),
        "node:memory:ratio": (
            "1 - sum by (env, instance) (node_memory_MemAvailable_bytes)"
            " / (sum by (env, instance) (node_memory_MemTotal_bytes) > 0)"
        ),
        "node:disk:ratio": (
            "max by (env, instance, mountpoint) (1 -"
            f" node_filesystem_avail_bytes{{{FILESYSTEMS}}}"
            " / (node_filesystem_size_bytes > 0))"
        ),
        "node:inodes:ratio": (
            "max by (env, instance, mountpoint) (1 -"
            f" node_filesystem_files_free{{{FILESYSTEMS}}}"
            " / (node_filesystem_files > 0))"
        ),
        "node:disk_busy:ratio": (
            f"max by (env, instance) (rate(node_disk_io_time_seconds_total[{WINDOW}]))"
        ),
        "node:io_waiting:ratio": (
            f"max by (env, instance) (rate(node_pressure_io_waiting_seconds_total[{WINDOW}]))"
        ),
        "node:conntrack:ratio": (
            "max by (env, instance)"
            " (node_nf_conntrack_entries / (node_nf_conntrack_entries_limit > 0))"
        ),
        "node:open_files:ratio": (
            "max by (env, instance) (node_filefd_allocated / (node_filefd_maximum > 0))"
        ),
        "node:network_errors:ratio": (
            "max by (env, instance, device) ("
            f"({errors.format(way='receive')} + {errors.format(way='transmit')})"
            f" / ({packets.format(way='receive')} + {packets.format(way='transmit')} > 0))"
        ),
    }


def _stores() -> dict[str, str]:
    hits = rate("pg_stat_database_blks_hit", "env, service")
    reads = rate("pg_stat_database_blks_read", "env, service")
    reserved = "max by (env, service) (pg_settings_superuser_reserved_connections)"
    found = rate("redis_keyspace_hits_total", "env, service")
    missed = rate("redis_keyspace_misses_total", "env, service")
    return {
        "postgres:connections:ratio": (
            "sum by (env, service) (pg_stat_activity_count)"
            f" / (max by (env, service) (pg_settings_max_connections) - {reserved} > 0)"
        ),
        "postgres:cache_hit:ratio": f"{hits} / ({hits} + {reads} > 0)",
        "postgres:blocks_read:rate5m": reads,
        "postgres_slot:wal_room:ratio": (
            "max by (env, slot_name) (abops_pg_slot_safe_wal_bytes) / on (env) group_left ()"
            " (max by (env) (pg_settings_max_slot_wal_keep_size_bytes) > 0)"
        ),
        "postgres_statement:seconds:mean5m": (
            rate("abops_pg_statement_seconds_total", "env, queryid")
            + f" / ({rate('abops_pg_statement_calls_total', 'env, queryid')} > 0)"
        ),
        "redis:memory:ratio": (
            "max by (env, service) (redis_memory_used_bytes)"
            " / (max by (env, service) (redis_memory_max_bytes) > 0)"
        ),
        "redis:hit:ratio": f"{found} / ({found} + {missed} > 0)",
        "redis:lookups:rate5m": f"{found} + {missed}",
        "redis:clients:ratio": (
            "max by (env, service) (redis_connected_clients)"
            " / (max by (env, service) (redis_config_maxclients) > 0)"
        ),
    }


def _probes() -> dict[str, str]:
    return {
        f"service:probe_success:avg{window}": (
            f"avg by (env, service) (avg_over_time(probe_success[{window}]))"
        )
        for window in (WINDOW, "1h")
    }
