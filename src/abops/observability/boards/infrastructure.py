"""Board `ab-infrastructure`: what the services use, what the machines have, how the stores do."""

from typing import Final

from abops.observability.boards.model import Board, Limit, Panel, Query, Row, chart, stat

E = 'env=~"$env"'
S = 'env=~"$env",service=~"$service"'
_DISKS = f'{E},fstype!~"tmpfs|overlay|squashfs|ramfs|devtmpfs"'
CLUSTER = "no data: this environment has no Kubernetes"


_NOW: Final = (
    stat(
        "Components up",
        "percentunit",
        f"avg(up{{{S}}})",
        "Share of all scraped targets that answered.",
        Limit(0.9, "yellow"),
        Limit(1, "green"),
        small_is_bad=True,
    ),
    stat(
        "Busiest node: CPU",
        "percentunit",
        f"max(node:cpu:ratio{{{E}}})",
        "CPU in use on the busiest machine, over five minutes.",
        Limit(0.8, "yellow"),
        Limit(0.95),
    ),
    stat(
        "Fullest node: memory",
        "percentunit",
        f"max(node:memory:ratio{{{E}}})",
        "Memory that is neither free nor reclaimable, on the fullest machine.",
        Limit(0.8, "yellow"),
        Limit(0.95),
    ),
    stat(
        "Fullest disk",
        "percentunit",
        f"max(node:disk:ratio{{{E}}})",
        "Space in use on the fullest filesystem.",
        Limit(0.8, "yellow"),
        Limit(0.95),
    ),
    stat(
        "Restarts in an hour",
        "short",
        f"sum(service:restarts:increase1h{{{S}}})",
        "Parts that stopped and were started again. More than a few without a deploy is a"
        " crash loop.",
        Limit(1, "yellow"),
        Limit(5),
    ),
    stat(
        "Critical alerts",
        "short",
        f'count(ALERTS{{{E},alertstate="firing",severity="critical"}}) or vector(0)',
        "Critical alerts that fire now.",
        Limit(1),
    ),
)


_SERVICES: Final = (
    chart(
        "CPU",
        "short",
        "Cores that each service uses, over five minutes.",
        Query(f"service:cpu_cores:rate5m{{{S}}}", "{{service}}"),
    ),
    chart(
        "CPU, of what it may use",
        "percentunit",
        "Cores in use over the limit. At 100 % the service is slowed down.",
        Query(
            f"service:cpu_cores:rate5m{{{S}}} / (service:cpu_limit_cores:sum{{{S}}} > 0)",
            "{{service}}",
        ),
        limits=(Limit(0.9),),
    ),
    chart(
        "Memory, of what it may use",
        "percentunit",
        "Resident memory of the largest instance over its limit. At 100 % the kernel kills it.",
        Query(f"service:memory_limit:ratio{{{S}}}", "{{service}}"),
        limits=(Limit(0.9),),
    ),
    chart(
        "Memory",
        "bytes",
        "Resident memory of each service's largest instance. A line that only rises is a leak.",
        Query(f"service:memory_bytes:max{{{S}}}", "{{service}}"),
    ),
    chart(
        "Restarts",
        "short",
        "Restarts in the hour before each moment.",
        Query(f"service:restarts:increase1h{{{S}}}", "{{service}}"),
        limits=(Limit(1),),
    ),
    chart(
        "Stores as the services see them, p95",
        "s",
        "Time of the slowest twentieth of operations on PostgreSQL and Redis, by caller.",
        Query(
            f"service_system:db_client_operation_duration_seconds:p95{{{S}}}",
            "{{service}} {{db_system_name}}",
        ),
        signals=True,
    ),
)


_SERVICES_DETAIL: Final = (
    chart(
        "CPU throttled",
        "percentunit",
        "Share of scheduling periods in which a service was held back by its limit.",
        Query(f"service:cpu_throttled:ratio{{{S}}}", "{{service}}"),
        limits=(Limit(0.25),),
        no_value=CLUSTER,
    ),
    chart(
        "Network in",
        "Bps",
        "Bytes that each service's pods receive.",
        Query(f"service:network_receive_bytes:rate5m{{{S}}}", "{{service}}"),
        no_value=CLUSTER,
    ),
    chart(
        "Network out",
        "Bps",
        "Bytes that each service's pods send.",
        Query(f"service:network_transmit_bytes:rate5m{{{S}}}", "{{service}}"),
        no_value=CLUSTER,
    ),
    chart(
        "Probe phases",
        "s",
        "Where a health check's time goes, seen from outside: name, connection, answer.",
        Query(
            f"avg by (service, phase) (probe_http_duration_seconds{{{S}}})",
            "{{service}} {{phase}}",
        ),
    ),
    chart(
        "Open files",
        "percentunit",
        "File descriptors in use over the process's limit.",
        Query(f"service:open_files:ratio{{{S}}}", "{{service}}"),
        limits=(Limit(0.8),),
    ),
    chart(
        "Event loop lag",
        "s",
        "Longest delay of the event loop in 15 s. Above 250 ms every request waits for"
        " something that blocks.",
        Query(f"max by (service) (event_loop_lag_seconds{{{S}}})", "{{service}}"),
        limits=(Limit(0.25),),
    ),
)


_NODES: Final = (
    chart(
        "CPU by mode",
        "percentunit",
        "Where the processors' time goes: `iowait` is a slow disk, `steal` a crowded host.",
        Query(
            f'avg by (mode) (rate(node_cpu_seconds_total{{{E},mode!="idle"}}[$__rate_interval]))',
            "{{mode}}",
        ),
        stacked=True,
        maximum=1,
    ),
    chart(
        "Memory",
        "bytes",
        "Memory in use and memory there is.",
        Query(
            f"sum by (instance) (node_memory_MemTotal_bytes{{{E}}}"
            f" - node_memory_MemAvailable_bytes{{{E}}})",
            "{{instance}} used",
        ),
        Query(f"sum by (instance) (node_memory_MemTotal_bytes{{{E}}})", "{{instance}} total"),
    ),
    chart(
        "Disk",
        "percentunit",
        "Space in use by filesystem.",
        Query(f"node:disk:ratio{{{E}}}", "{{instance}} {{mountpoint}}"),
        limits=(Limit(0.8, "yellow"), Limit(0.97)),
        maximum=1,
    ),
    chart(
        "Hours until a disk is full",
        "h",
        "If the last day's growth goes on. Absent while a disk does not grow.",
        Query(
            f"min by (instance, mountpoint) (node_filesystem_avail_bytes{{{_DISKS}}}"
            f" / (-deriv(node_filesystem_avail_bytes{{{_DISKS}}}[1d]) > 0)) / 3600",
            "{{instance}} {{mountpoint}}",
        ),
        limits=(Limit(96),),
        no_value="no disk grows",
    ),
    chart(
        "Disk busy",
        "percentunit",
        "Share of time in which the busiest disk had work.",
        Query(f"node:disk_busy:ratio{{{E}}}", "{{instance}}"),
        limits=(Limit(0.9),),
        maximum=1,
    ),
    chart(
        "Pressure",
        "percentunit",
        "Share of time in which work waited for CPU, memory or disk.",
        *(
            Query(
                f"max by (instance) (rate(node_pressure_{name}_waiting_seconds_total"
                f"{{{E}}}[$__rate_interval]))",
                f"{{{{instance}}}} {name}",
            )
            for name in ("cpu", "memory", "io")
        ),
        limits=(Limit(0.2),),
        no_value="no data: this kernel does not account for pressure",
    ),
)


def _nodes_detail() -> tuple[Panel, ...]:
    def per_second(metric: str) -> str:
        return f"sum by (instance) (rate({metric}{{{E}}}[$__rate_interval]))"

    return (
        chart(
            "Inodes",
            "percentunit",
            "Inodes in use: a disk with room can still be full of small files.",
            Query(
                f"max by (instance, mountpoint) (1 - node_filesystem_files_free{{{_DISKS}}}"
                f" / (node_filesystem_files{{{_DISKS}}} > 0))",
                "{{instance}} {{mountpoint}}",
            ),
            limits=(Limit(0.9),),
        ),
        chart(
            "Disk operations",
            "iops",
            "Reads and writes each second.",
            Query(per_second("node_disk_reads_completed_total"), "{{instance}} read"),
            Query(per_second("node_disk_writes_completed_total"), "{{instance}} write"),
        ),
        chart(
            "Network errors",
            "pps",
            "Packets that were damaged or dropped.",
            Query(per_second("node_network_receive_errs_total"), "{{instance}} in, damaged"),
            Query(per_second("node_network_transmit_errs_total"), "{{instance}} out, damaged"),
            Query(per_second("node_network_receive_drop_total"), "{{instance}} in, dropped"),
            limits=(Limit(1),),
        ),
        chart(
            "TCP retransmits",
            "percentunit",
            "Segments sent again over segments sent.",
            Query(
                f"{per_second('node_netstat_Tcp_RetransSegs')}"
                f" / ({per_second('node_netstat_Tcp_OutSegs')} > 0)",
                "{{instance}}",
            ),
            limits=(Limit(0.02),),
        ),
        chart(
            "Connection tracking",
            "percentunit",
            "Entries in use of the firewall's table. When it is full, new connections are dropped.",
            Query(
                f"max by (instance) (node_nf_conntrack_entries{{{E}}}"
                f" / (node_nf_conntrack_entries_limit{{{E}}} > 0))",
                "{{instance}}",
            ),
            limits=(Limit(0.8),),
            no_value="no data: this machine tracks no connections",
        ),
    )


_STORES: Final = (
    chart(
        "PostgreSQL connections",
        "percentunit",
        "Connections in use over those that ordinary roles may open.",
        Query(f"postgres:connections:ratio{{{E}}}", "{{service}}"),
        limits=(Limit(0.8, "yellow"), Limit(0.95)),
        maximum=1,
    ),
    chart(
        "Replication lag",
        "s",
        "How far the slowest replica is behind.",
        Query(f"max by (service) (abops_pg_replication_lag_seconds{{{E}}})", "{{service}}"),
        limits=(Limit(30),),
        no_value="no replica in this environment",
    ),
    chart(
        "Write-ahead log",
        "Bps",
        "Bytes of write-ahead log written each second.",
        Query(
            # Its service is who measured it, which says nothing here.
            f"sum(rate(abops_pg_wal_bytes_total{{{E}}}[$__rate_interval]))",
            "PostgreSQL",
        ),
    ),
    chart(
        "Redis memory",
        "bytes",
        "Memory that Redis uses; its limit where it has one.",
        Query(f"max by (service) (redis_memory_used_bytes{{{E}}})", "{{service}} used"),
        Query(f"max by (service) (redis_memory_max_bytes{{{E}}} > 0)", "{{service}} limit"),
    ),
    chart(
        "Redis commands and evictions",
        "ops",
        "Commands each second, and keys thrown out for want of memory.",
        Query(
            f"sum by (service) (rate(redis_commands_processed_total{{{E}}}[$__rate_interval]))",
            "{{service}} commands",
        ),
        Query(
            f"sum by (service) (rate(redis_evicted_keys_total{{{E}}}[$__rate_interval]))",
            "{{service}} evicted",
        ),
    ),
    chart(
        "Queues",
        "short",
        "Tasks that wait, by queue.",
        Query(f"max by (queue) (celery_queue_length{{{E}}})", "{{queue}}"),
    ),
    chart(
        "Oldest task",
        "s",
        "Age of the task that has waited longest, by queue.",
        Query(f"max by (queue) (celery_queue_oldest_seconds{{{E}}})", "{{queue}}"),
        limits=(Limit(60),),
    ),
)


def _one(title: str, description: str, expr: str, legend: str) -> Panel:
    return chart(title, "short", description, Query(expr, legend), no_value=CLUSTER)


_KUBERNETES: Final = (
    _one(
        "Nodes ready",
        "Nodes by whether they take work.",
        'sum by (status) (kube_node_status_condition{condition="Ready"} == 1)',
        "{{status}}",
    ),
    _one(
        "Pods by phase",
        "Pods by what they are doing.",
        "sum by (phase) (kube_pod_status_phase > 0)",
        "{{phase}}",
    ),
    _one(
        "Pods not ready",
        "Running pods that do not pass their readiness check.",
        'sum by (namespace) (kube_pod_status_ready{condition="false"} == 1)',
        "{{namespace}}",
    ),
    _one(
        "Killed for memory",
        "Containers whose last end was for want of memory.",
        "sum by (namespace, container)"
        ' (kube_pod_container_status_last_terminated_reason{reason="OOMKilled"} == 1)',
        "{{namespace}} {{container}}",
    ),
    _one(
        "Missing replicas",
        "Replicas that should be there and are not.",
        "sum by (namespace, deployment) (kube_deployment_spec_replicas"
        " - kube_deployment_status_replicas_available) > 0",
        "{{namespace}} {{deployment}}",
    ),
    chart(
        "Autoscaler",
        "short",
        "Replicas that the autoscaler has, wants and may have.",
        *(
            Query(
                "max by (horizontalpodautoscaler)"
                f" (kube_horizontalpodautoscaler_{metric}_replicas)",
                f"{{{{horizontalpodautoscaler}}}} {word}",
            )
            for metric, word in (
                ("status_current", "now"),
                ("status_desired", "wanted"),
                ("spec_max", "most"),
            )
        ),
        no_value=CLUSTER,
    ),
    chart(
        "Volumes",
        "percentunit",
        "Space in use by volume claim.",
        Query(
            "max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_used_bytes"
            " / (kubelet_volume_stats_capacity_bytes > 0))",
            "{{namespace}} {{persistentvolumeclaim}}",
        ),
        limits=(Limit(0.95),),
        no_value=CLUSTER,
    ),
    chart(
        "Quota",
        "percentunit",
        "What is used of what a namespace may use.",
        Query(
            'max by (namespace, resource) (kube_resourcequota{type="used"}'
            ' / on (namespace, resource, resourcequota) (kube_resourcequota{type="hard"} > 0))',
            "{{namespace}} {{resource}}",
        ),
        limits=(Limit(0.9),),
        no_value=CLUSTER,
    ),
    chart(
        "API server p99",
        "s",
        "Time of the slowest hundredth of the API server's answers, without watches.",
        Query(
            "histogram_quantile(0.99, sum by (le, verb) (rate(apiserver_request_duration_"
            'seconds_bucket{verb!~"WATCH|CONNECT"}[$__rate_interval])))',
            "{{verb}}",
        ),
        limits=(Limit(1),),
        no_value=CLUSTER,
    ),
    chart(
        "API server errors",
        "percentunit",
        "Share of the API server's answers that were 5xx.",
        Query(
            '(sum(rate(apiserver_request_total{code=~"5.."}[$__rate_interval]))'
            " or 0 * sum(rate(apiserver_request_total[$__rate_interval])))"
            " / (sum(rate(apiserver_request_total[$__rate_interval])) > 0)",
            "5xx",
        ),
        limits=(Limit(0.01),),
        no_value=CLUSTER,
    ),
)


def infrastructure_board() -> Board:
    """Return the board."""
    return Board(
        uid="ab-infrastructure",
        title="Infrastructure",
        description="Services, machines, Kubernetes and stores: what is used, what is left.",
        tags=("infrastructure",),
        rows=(
            Row("Now", _NOW),
            Row("Services", _SERVICES),
            Row("Services, in detail", _SERVICES_DETAIL, collapsed=True),
            Row("Nodes", _NODES),
            Row("Nodes, in detail", _nodes_detail(), collapsed=True),
            Row("Stores", _STORES),
            Row("Kubernetes", _KUBERNETES, collapsed=True),
        ),
    )
