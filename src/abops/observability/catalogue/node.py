"""Alerts about the machines: disks, clock, kernel tables, network."""

from datetime import timedelta

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import STEP, Timing, around, rising, steady
from abops.observability.catalogue.node_disks import disk_alerts
from abops.observability.catalogue.place import Place, of_kind
from abops.observability.catalogue.wording import duration, percent

GROUP, BOARD = "node", "infrastructure"
HERE = {"env": "local", "instance": "a"}
LABELS = '{env="local",instance="a"}'
MINUTE = timedelta(minutes=1)


def node_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts about machines; none where nobody measures them."""
    where = of_kind(inventory.platform, "node")
    if where is None:
        return ()
    return (
        *disk_alerts(where),
        _clock(where),
        _conntrack(where),
        _file_descriptors(where),
        _network_errors(where),
        _oom_kill(where),
    )


def _clock(where: Place) -> Alert:
    limit, hold = 0.05, 5 * MINUTE
    series = f"node_timex_offset_seconds{LABELS}"

    def fired(offset: float) -> Fired:
        return Fired(HERE, f"The clock of a is {duration(offset)} off")

    return Alert(
        name="HostClockSkew",
        group=GROUP,
        severity="warning",
        expr="max by (env, instance) (abs(node_timex_offset_seconds)) > {threshold}",
        threshold=limit,
        unit="seconds",
        hold=hold,
        reason=(
            "A synchronised clock is within a few milliseconds. Past 50 ms spans end before they"
            " begin, and the lag of messages comes out negative."
        ),
        summary="The clock of {{ $labels.instance }} is {{ $value | humanizeDuration }} off",
        impact="Posts go out early or late; tokens are refused; traces and logs are out of order.",
        labels=where.own_labels("clock", "system"),
        board=BOARD,
        runbook=Runbook(
            meaning="The kernel's clock is away from the time servers by more than 50 ms.",
            diagnosis=(
                "```\nchronyc tracking    # or: timedatectl timesync-status\nchronyc sources -v\n"
                "journalctl -u chrony -u systemd-timesyncd -n 50\n```\nNo source with `*`: the time"
                " servers are not reached (UDP 123). `Leap status: Not synchronised`: the service"
                " does not run. A virtual machine that was paused or moved jumps."
            ),
            mitigation=(
                "```\nsystemctl restart chrony    # or: systemd-timesyncd\nchronyc makestep\n```\n"
                "`makestep` jumps: on a machine with PostgreSQL or Redis let it slew instead when"
                " the clock is ahead, a jump back confuses timeouts. Never set the clock by hand"
                " with `date`."
            ),
        ),
        cases=(
            *around(limit, lambda v: {series: steady(v)}, fired, timing=Timing(hold)),
            Case("behind as well", {series: steady(-1.1 * limit)}, hold, (fired(1.1 * limit),)),
        ),
    )


def _conntrack(where: Place) -> Alert:
    limit, hold = 0.8, 5 * MINUTE
    return Alert(
        name="HostConntrack",
        group=GROUP,
        severity="warning",
        expr="node:conntrack:ratio > {threshold}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason="A burst of connections takes a fifth of the table within seconds.",
        summary=(
            "{{ $labels.instance }} tracks {{ $value | humanizePercentage }} of the connections"
            " it can"
        ),
        impact="At 100 % the kernel drops new connections of every service here, at random.",
        labels=where.own_labels("network", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="The kernel's table of connections (firewall, NAT, kube-proxy) is nearly full.",
            diagnosis=(
                "```\nconntrack -C; sysctl net.netfilter.nf_conntrack_max\n"
                "conntrack -L 2>/dev/null | grep -oE '(src|dst)=[0-9.]+' | sort | uniq -c"
                " | sort -rn | head\nconntrack -L 2>/dev/null | grep -oE 'TIME_WAIT|ESTABLISHED|"
                "SYN_SENT|UNREPLIED' | sort | uniq -c\ndmesg -T | grep 'table full'\n```\n"
                "Many TIME_WAIT to one address: somebody opens a connection for each request. Many"
                " SYN_SENT or UNREPLIED: a scan, or a peer that is gone."
            ),
            mitigation=(
                "At once (a million entries take about 300 MB):\n\n```\n"
                "sysctl -w net.netfilter.nf_conntrack_max=1048576\n```\nThen keep it in"
                " `/etc/sysctl.d/`, and mend the client that does not reuse connections. A scan:"
                " block the address. Do not flush the table (`conntrack -F`): it cuts what goes"
                " through NAT."
            ),
        ),
        cases=around(
            limit,
            lambda v: {f"node:conntrack:ratio{LABELS}": steady(v)},
            lambda v: Fired(HERE, f"a tracks {percent(v)} of the connections it can"),
            timing=Timing(hold),
        ),
    )


def _file_descriptors(where: Place) -> Alert:
    limit, hold = 0.8, 5 * MINUTE
    return Alert(
        name="HostFileDescriptors",
        group=GROUP,
        severity="warning",
        expr="node:open_files:ratio > {threshold}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason="Of fs.file-max, for the whole machine: usual is far below a tenth.",
        summary=("{{ $labels.instance }} has {{ $value | humanizePercentage }} of its files open"),
        impact="At 100 % no process here can open a file or take a connection.",
        labels=where.own_labels("files", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="The machine nears fs.file-max: some process leaks files or sockets.",
            diagnosis=(
                "```\ncat /proc/sys/fs/file-nr\nfor p in /proc/[0-9]*; do\n"
                '  echo "$(ls $p/fd 2>/dev/null | wc -l) $(cat $p/comm) ${p#/proc/}"; done'
                " | sort -rn | head\nls -l /proc/PID/fd | awk '{print $NF}' | sed 's/[0-9]*//g'"
                " | sort | uniq -c | sort -rn | head\n```\nThe last line tells sockets from files."
            ),
            mitigation=(
                "Restart the process that leaks: `abops stack restart SERVICE`. Win time with"
                " `sysctl -w fs.file-max=4000000`. Raising the limit alone only moves the day."
            ),
        ),
        cases=around(
            limit,
            lambda v: {f"node:open_files:ratio{LABELS}": steady(v)},
            lambda v: Fired(HERE, f"a has {percent(v)} of its files open"),
            timing=Timing(hold),
        ),
    )


def _network_errors(where: Place) -> Alert:
    limit, hold = 0.01, 10 * MINUTE
    return Alert(
        name="HostNetworkErrors",
        group=GROUP,
        severity="warning",
        expr="node:network_errors:ratio > {threshold}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason="Of all packets, both ways: TCP slows to a crawl where one in a hundred is lost.",
        summary=(
            "{{ $value | humanizePercentage }} of the packets of {{ $labels.device }} on"
            " {{ $labels.instance }} are broken"
        ),
        impact="Every answer that crosses this interface is slow; some connections time out.",
        labels=where.own_labels("network", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning="The interface receives or sends damaged frames: cable, port, driver, duplex.",
            diagnosis=(
                "```\nip -s -s link show DEVICE\nethtool DEVICE | grep -E 'Speed|Duplex|Link'\n"
                "ethtool -S DEVICE | grep -iE 'err|drop|crc|miss' | grep -v ': 0'\n"
                "dmesg -T | grep DEVICE\n```\n`crc`: cable or port. `missed`, `fifo`: the machine"
                " is too slow to fetch them (ring buffer, CPU). Half duplex: negotiation failed."
            ),
            mitigation=(
                "`missed`: `ethtool -G DEVICE rx 4096`. `crc`: move the load away from this machine"
                " (`kubectl drain NODE`), then have cable or port changed. In a cloud: replace the"
                " machine. Do not reset the interface over the connection that goes through it."
            ),
        ),
        cases=around(
            limit,
            lambda v: {'node:network_errors:ratio{env="local",instance="a",device="e"}': steady(v)},
            lambda v: Fired(
                {**HERE, "device": "e"}, f"{percent(v)} of the packets of e on a are broken"
            ),
            timing=Timing(hold),
        ),
    )


def _oom_kill(where: Place) -> Alert:
    limit, window = 1.0, 10 * MINUTE
    return Alert(
        name="HostOomKill",
        group=GROUP,
        severity="warning",
        expr="max by (env, instance) (increase(node_vmstat_oom_kill[10m])) >= {threshold}",
        threshold=limit,
        unit="processes in 10 minutes",
        reason="The kernel ends a process only when nothing else is left.",
        summary="{{ $labels.instance }} ran out of memory: the kernel ended a process",
        impact="What it ended was cut off mid-work: tasks are tried again, sessions are lost.",
        labels=where.own_labels("memory", "errors"),
        board=BOARD,
        runbook=Runbook(
            meaning=(
                "The machine, or a container with a limit of its own, had no memory left, and the"
                " kernel killed the process that held most of it."
            ),
            diagnosis=(
                "```\ndmesg -T | grep -iE -A 1 'out of memory|oom-kill|killed process'\n"
                "ps -eo pid,comm,rss --sort=-rss | head\ncat /proc/pressure/memory\n```\n"
                "`constraint=CONSTRAINT_MEMCG`: a container's limit, not the machine's. PostgreSQL"
                " among the killed: it has restarted all sessions (PostgresRestarted)."
            ),
            mitigation=(
                "See that the part runs again: `abops stack status`. Something grows without end:"
                " restart it, then look for the leak. All are as large as usual: too much on one"
                " machine, move a part or add memory. Do not switch the OOM killer off"
                " (`vm.overcommit_memory=2`) in haste: Redis then cannot save."
            ),
        ),
        cases=around(
            limit,
            lambda v: {f"node_vmstat_oom_kill{LABELS}": rising(v * STEP / window)},
            lambda _v: Fired(HERE, "a ran out of memory: the kernel ended a process"),
            timing=Timing(warm=window),
        ),
    )
