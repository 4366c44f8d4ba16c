"""Cases of the recorded series that parts and machines are measured by."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.recording import RecordingCase
from abops.observability.catalogue.recording_cases import (
    SOON,
    case,
    gauges,
    jumps,
    name,
    rises,
    share_cases,
)

Cases = dict[str, tuple[RecordingCase, ...]]
_API: Final = {"env": "local", "service": "api"}
_CLUSTER: Final = {"env": "production", "service": "api"}
_POD: Final = {
    "env": "production",
    "namespace": "analyticbot",
    "pod": "analyticbot-api-5d8f7b9c4-x2x8p",
}
_CONTAINER: Final = {**_POD, "container": "api"}
_NODE: Final = {"env": "local", "instance": "n1"}
_DISK: Final = {**_NODE, "mountpoint": "/"}
_EXT4: Final = {**_DISK, "fstype": "ext4", "device": "/dev/sda1"}
_VIRTUAL: Final = ("tmpfs", "overlay", "squashfs", "ramfs", "devtmpfs")
_HOUR: Final = timedelta(minutes=75)
"""When cases of an hour's window look."""


def machine_cases(stores: tuple[str, ...]) -> Cases:
    """Return the cases by the name of their recording; `stores` are measured by exporters."""
    return {
        **_cpu(stores),
        **_memory(stores),
        **_life(stores),
        **_network(),
        **_nodes(),
        **_probes(),
    }


def _own(stores: tuple[str, ...], metric: str, values: str) -> dict[str, str]:
    """Return the processes of the exporters, which are not their stores."""
    return {
        name(metric, {"env": "local", "service": store, "job": store, "instance": "e"}): values
        for store in stores
    }


def _local(metric: str, values: str) -> dict[str, str]:
    return {name(metric, {**_API, "job": "analyticbot-api", "instance": "a"}): values}


def _cpu(stores: tuple[str, ...]) -> Cases:
    used, spent = "container_cpu_usage_seconds_total", "process_cpu_seconds_total"
    whole_pod = name(used, {**_POD, "container": ""})
    limits, local_limit = "kube_pod_container_resource_limits", "abops_stack_cpu_limit_cores"
    return {
        "service:cpu_cores:rate5m": (
            case(
                "in a cluster and on one machine",
                {name(used, _CONTAINER): rises(0.5), whole_pod: rises(7)}
                | _local(spent, rises(0.25))
                | _own(stores, spent, rises(3)),
                [(_CLUSTER, 0.5), (_API, 0.25)],
            ),
            case("there is none", {}),
        ),
        "service:cpu_limit_cores:sum": (
            case(
                "in a cluster and on one machine",
                gauges(
                    limits,
                    [
                        ({**_CONTAINER, "resource": "cpu"}, 2),
                        ({**_CONTAINER, "resource": "memory"}, 512),
                    ],
                )
                | _local(local_limit, "4x80"),
                [(_CLUSTER, 2), (_API, 4)],
                SOON,
            ),
            case("there is none", {}, at=SOON),
        ),
        "service_resource:saturation:ratio": _saturation(),
        "service:cpu_throttled:ratio": _throttled(),
    }


def _throttled() -> tuple[RecordingCase, ...]:
    throttled, periods = (
        "container_cpu_cfs_throttled_periods_total",
        "container_cpu_cfs_periods_total",
    )
    return (
        case(
            "a quarter of the periods",
            {
                name(throttled, _CONTAINER): rises(2.5),
                name(periods, _CONTAINER): "1000+140x100",
                name(throttled, {**_POD, "container": ""}): rises(5),
                name(periods, {**_POD, "container": ""}): "1000+140x100",
            },
            [(_CLUSTER, 0.25)],
        ),
        case(
            "its periods began within the window",
            {
                name(throttled, _CONTAINER): "1000+35x100",
                name(periods, _CONTAINER): rises(5),
            },
            [(_CLUSTER, 0.5)],
        ),
        case(
            "no period has passed",
            {name(throttled, _CONTAINER): "5x80", name(periods, _CONTAINER): "9x80"},
        ),
        case("there is none", {}),
    )


def _saturation() -> tuple[RecordingCase, ...]:
    cores = gauges("service:cpu_cores:rate5m", [(_API, 0.5)])
    instance = {**_API, "instance": "a"}
    count, most = "db_client_connection_count", "db_client_connection_max"
    pool = gauges(count, [({**instance, "state": "used"}, 24), ({**instance, "state": "idle"}, 30)])
    cpu, connections = {**_API, "resource": "cpu"}, {**_API, "resource": "connections"}
    return (
        case(
            "cores and connections",
            cores
            | gauges("service:cpu_limit_cores:sum", [(_API, 2)])
            | pool
            | gauges(most, [(instance, 30)]),
            [(cpu, 0.25), (connections, 0.8)],
            SOON,
        ),
        case(
            "a limit of zero is none",
            cores
            | gauges("service:cpu_limit_cores:sum", [(_API, 0)])
            | pool
            | gauges(most, [(instance, 0)]),
            at=SOON,
        ),
        case("there is none", {}, at=SOON),
    )


def _memory(stores: tuple[str, ...]) -> Cases:
    used, resident = "container_memory_working_set_bytes", "process_resident_memory_bytes"
    return {
        "service:memory_bytes:max": (
            case(
                "in a cluster and on one machine",
                gauges(
                    used,
                    [
                        (_CONTAINER, 100),
                        ({**_CONTAINER, "pod": "b"}, 60),
                        ({**_POD, "container": ""}, 900),
                    ],
                )
                | _local(resident, "50x80")
                | _own(stores, resident, "70x80"),
                [(_CLUSTER, 100), (_API, 50)],
                SOON,
            ),
            case("there is none", {}, at=SOON),
        ),
        "service:memory_limit_bytes:min": (
            case(
                "in a cluster and on one machine",
                gauges(
                    "kube_pod_container_resource_limits",
                    [
                        ({**_CONTAINER, "resource": "memory"}, 512),
                        ({**_CONTAINER, "resource": "cpu"}, 2),
                    ],
                )
                | _local("abops_stack_memory_limit_bytes", "256x80"),
                [(_CLUSTER, 512), (_API, 256)],
                SOON,
            ),
            case("there is none", {}, at=SOON),
        ),
        "service:memory_limit:ratio": share_cases(
            [("service:memory_bytes:max", _API, 64)],
            [("service:memory_limit_bytes:min", _API, 256)],
            _API,
            0.25,
        ),
    }


def _life(stores: tuple[str, ...]) -> Cases:
    restarts, local_restarts = (
        "kube_pod_container_status_restarts_total",
        "abops_stack_restarts_total",
    )
    # Three within half an hour, three more within the hour, and some before.
    history = jumps(10, 35, 55)
    grown = 6 * 3600 / 3584
    """The window of 3600 s holds samples over 3584 s, and Prometheus extrapolates."""
    opened, most = "process_open_fds", "process_max_fds"
    return {
        "service:restarts:increase1h": (
            case(
                "in a cluster and on one machine",
                {name(restarts, _CONTAINER): history} | _local(local_restarts, history),
                [(_CLUSTER, grown), (_API, grown)],
                _HOUR,
            ),
            case("there is none", {}, at=_HOUR),
        ),
        "service:open_files:ratio": (
            case(
                "in use",
                _local(opened, "64x80")
                | _local(most, "1024x80")
                | _own(stores, opened, "512x80")
                | _own(stores, most, "1024x80"),
                [(_API, 0.0625)],
                SOON,
            ),
            case(
                "a limit of zero is none", _local(opened, "64x80") | _local(most, "0x80"), at=SOON
            ),
            case("there is none", {}, at=SOON),
        ),
    }


def _network() -> Cases:
    def of(way: str) -> tuple[RecordingCase, ...]:
        metric = f"container_network_{way}_bytes_total"
        other = {**_POD, "interface": "eth0", "pod": "analyticbot-redis-0"}
        return (
            case(
                "of a pod, not of one with a name of its own",
                {
                    name(metric, {**_POD, "interface": "eth0"}): rises(8),
                    name(metric, other): rises(5),
                },
                [(_CLUSTER, 8)],
            ),
            case("there is none", {}),
        )

    return {f"service:network_{way}_bytes:rate5m": of(way) for way in ("receive", "transmit")}


def _nodes() -> Cases:
    return {
        "node:cpu:ratio": (
            case(
                "a quarter idle",
                {
                    name("node_cpu_seconds_total", {**_NODE, "cpu": "0", "mode": "idle"}): rises(
                        0.25
                    ),
                    name("node_cpu_seconds_total", {**_NODE, "cpu": "0", "mode": "user"}): rises(
                        0.6
                    ),
                },
                [(_NODE, 0.75)],
            ),
            case("there is none", {}),
        ),
        "node:memory:ratio": (
            case(
                "three quarters in use",
                gauges("node_memory_MemAvailable_bytes", [(_NODE, 256)])
                | gauges("node_memory_MemTotal_bytes", [(_NODE, 1024)]),
                [(_NODE, 0.75)],
                SOON,
            ),
            case(
                "nothing is known of the whole",
                gauges("node_memory_MemAvailable_bytes", [(_NODE, 256)])
                | gauges("node_memory_MemTotal_bytes", [(_NODE, 0)]),
                at=SOON,
            ),
            case("there is none", {}, at=SOON),
        ),
        "node:disk:ratio": _disk("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
        "node:inodes:ratio": _disk("node_filesystem_files_free", "node_filesystem_files"),
        "node:disk_busy:ratio": _busiest("node_disk_io_time_seconds_total", "sda", "sdb"),
        "node:io_waiting:ratio": (
            case(
                "it waits",
                {name("node_pressure_io_waiting_seconds_total", _NODE): rises(0.4)},
                [(_NODE, 0.4)],
            ),
            case("there is none", {}),
        ),
        "node:conntrack:ratio": share_cases(
            [("node_nf_conntrack_entries", _NODE, 64)],
            [("node_nf_conntrack_entries_limit", _NODE, 256)],
            _NODE,
            0.25,
        ),
        "node:open_files:ratio": share_cases(
            [("node_filefd_allocated", _NODE, 64)],
            [("node_filefd_maximum", _NODE, 256)],
            _NODE,
            0.25,
        ),
        "node:network_errors:ratio": _network_errors(),
    }


def _disk(free: str, size: str) -> tuple[RecordingCase, ...]:
    virtual = [({**_EXT4, "mountpoint": f"/{kind}", "fstype": kind}, 1.0) for kind in _VIRTUAL]
    sizes = [(labels, 1024.0) for labels, _value in virtual]
    return (
        case(
            "three quarters of a disk, and what is no disk",
            gauges(free, [(_EXT4, 256), *virtual]) | gauges(size, [(_EXT4, 1024), *sizes]),
            [(_DISK, 0.75)],
            SOON,
        ),
        case(
            "a filesystem without a size",
            gauges(free, [(_EXT4, 0)]) | gauges(size, [(_EXT4, 0)]),
            at=SOON,
        ),
        case("there is none", {}, at=SOON),
    )


def _busiest(metric: str, *devices: str) -> tuple[RecordingCase, ...]:
    rates = {
        name(metric, {**_NODE, "device": d}): rises(0.6 - 0.3 * n) for n, d in enumerate(devices)
    }
    return (case("the busier of two", rates, [(_NODE, 0.6)]), case("there is none", {}))


def _network_errors() -> tuple[RecordingCase, ...]:
    device = {**_NODE, "device": "eth0"}

    def history(**rates: str) -> dict[str, str]:
        return {name(f"node_network_{what}_total", device): v for what, v in rates.items()}

    steady = "1000+140x100"
    return (
        case(
            "one packet in ten",
            history(
                receive_errs=rises(0.5),
                transmit_errs=rises(1.5),
                receive_packets=steady,
                transmit_packets=steady,
            ),
            [(device, 0.1)],
        ),
        case(
            "packets began within the window",
            history(
                receive_errs="1000+14x100",
                transmit_errs="1000+14x100",
                receive_packets=rises(5),
                transmit_packets=rises(15),
            ),
            [(device, 0.1)],
        ),
        case(
            "no packet",
            history(
                receive_errs="5x80",
                transmit_errs="5x80",
                receive_packets="7x80",
                transmit_packets="7x80",
            ),
        ),
        case("there is none", {}),
    )


def _probes() -> Cases:
    probe = {**_API, "job": "probes", "instance": "a/health"}

    def history(good: int, bad: int) -> dict[str, str]:
        return {name("probe_success", probe): f"1x{good - 1} 0x{bad - 1} 1x300"}

    # A window holds 22 samples of 5 minutes, 257 of an hour; the bad ones lie in its older half.
    return {
        "service:probe_success:avg5m": (
            case("some failed", history(46, 6), [(_API, 16 / 22)]),
            case("there is none", {}),
        ),
        "service:probe_success:avg1h": (
            case("some failed", history(70, 15), [(_API, 242 / 257)], _HOUR),
            case("there is none", {}, at=_HOUR),
        ),
    }
