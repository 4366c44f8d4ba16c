"""Disks: when they will be full, whether they are, and whether they keep up."""

from datetime import timedelta

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, steady
from abops.observability.catalogue.place import Place
from abops.observability.catalogue.recordings import FILESYSTEMS
from abops.observability.catalogue.wording import percent

GROUP, BOARD = "node", "infrastructure"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_DISK = {"env": "local", "instance": "a", "mountpoint": "/"}
_LABELS = '{env="local",instance="a",mountpoint="/"}'

_WHERE = """\
```
df -h MOUNTPOINT; df -i MOUNTPOINT
du -xh --max-depth=2 MOUNTPOINT 2>/dev/null | sort -rh | head -20
lsof -nP +L1 | sort -k7 -rn | head    # removed, but still held open
```
"""
_SPACE = """\
```
journalctl --vacuum-size=500M
abops stack logs                      # which part's log is large
docker system prune -f; crictl rmi --prune
```
"""


def disk_alerts(where: Place) -> tuple[Alert, ...]:
    """Return the alerts about disks."""
    return (_will_fill(where), _full(where), _inodes(where), _saturated(where))


def _will_fill(where: Place) -> Alert:
    lead, hold, step = 4 * DAY, HOUR, 7 * MINUTE
    summary = "/ of a will be full within four days"
    return Alert(
        name="HostDiskWillFill",
        group=GROUP,
        severity="warning",
        expr=(
            "min by (env, instance, mountpoint)"
            f" (predict_linear(node_filesystem_avail_bytes{{{FILESYSTEMS}}}[1d], {{threshold}}))"
            " < 0 and node:disk:ratio > 0.5 and node:disk:ratio offset 1d"
        ),
        threshold=lead.total_seconds(),
        unit="seconds",
        hold=hold,
        reason=(
            "Four days: a long weekend. The line goes through a whole day, so that the nightly"
            " backup is no trend, and waits until there is one; a disk that is more than half"
            " empty may fill for a while."
        ),
        summary=(
            "{{ $labels.mountpoint }} of {{ $labels.instance }} will be full within four days"
        ),
        impact="None yet; when it is full, PostgreSQL and Redis stop.",
        labels=where.own_labels("disk", "saturation"),
        board=BOARD,
        step=step,
        runbook=Runbook(
            meaning=(
                "If free space goes on shrinking as it did for the last 24 hours, there is none"
                " left in four days."
            ),
            diagnosis=(
                _WHERE + "\nUsual suspects: `pg_wal` (PostgresSlotInactive,"
                " PostgresWalArchiveFailing), logs of a part in a loop, Prometheus' retention,"
                " images of old deploys, backups kept on the same disk."
            ),
            mitigation=(
                "Mend what grows. Room at once:\n\n" + _SPACE + "\nOr enlarge the volume"
                " (`lvextend -r`, or the cloud's console, then `resize2fs`). Never remove files"
                " under `pg_wal` or a database's folder."
            ),
        ),
        cases=_will_fill_cases(lead, step, Fired(_DISK, summary)),
    )


def _will_fill_cases(lead: timedelta, step: timedelta, fired: Fired) -> tuple[Case, ...]:
    """Return histories of free space, one sample every seven minutes.

    The bytes do not matter: one step of falling loses one byte.
    """
    ratio = f"node:disk:ratio{_LABELS}"
    begin = DAY + 60 * step
    due = begin + 9 * step  # the first evaluation after an hour
    used = {ratio: steady(0.6, 800)}
    day, half = int(DAY / step), int(DAY / step / 2)

    def space(values: str, fstype: str = "ext4") -> dict[str, str]:
        labels = _LABELS.replace("}", f',fstype="{fstype}"}}')
        return {f"node_filesystem_avail_bytes{labels}": values}

    def falling(share: float) -> str:
        """Free space that ends `share` of the lead after `due`."""
        return f"{int((share * lead + due) / step)}-1x400"

    # Used space passes one half at `begin`: from then on the alert waits for its hold.
    half_full = {ratio: f"0.45x{int(begin / step) - 1} 0.55x400"}
    late_fall = f"{4 * day}x{2 * day} {4 * day}-1x{day}"
    early_fall = f"{2 * day}x{half} {2 * day}-1x{half} {2 * day - half}x{half}"
    return (
        Case("full within the lead", space(falling(0.9)) | half_full, due, (fired,)),
        Case("not before its hold", space(falling(0.9)) | half_full, due - step),
        Case("full after the lead", space(falling(1.1)) | used, due),
        Case("full at last, but half empty", space(falling(0.9)) | {ratio: "0.45x400"}, due),
        Case("it falls since a day", space(late_fall) | used, (3 * day + 1) * step, (fired,)),
        Case(
            "the whole day counts",
            space(early_fall) | used,
            (3 * half + 1) * step,
            (fired,),
        ),
        Case(
            "seen for half a day only",
            space(falling(0.9)) | {ratio: f"_x{half} 0.6x400"},
            due,
        ),
        Case("space comes back", space(f"{day}+1x400") | used, due),
        Case("in memory only", space(falling(0.9), "tmpfs") | used, due),
        Case("size unknown", space(falling(0.9)), due),
        Case("no data", {}, due),
    )


def _full(where: Place) -> Alert:
    limit, hold = 0.03, MINUTE
    return Alert(
        name="HostDiskFull",
        group=GROUP,
        severity="critical",
        expr="1 - node:disk:ratio < {threshold}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason="3 % are minutes of log at full load, and what a restart of PostgreSQL needs.",
        summary=(
            "{{ $labels.mountpoint }} of {{ $labels.instance }} has"
            " {{ $value | humanizePercentage }} of its space left"
        ),
        impact="PostgreSQL stops when its log cannot be written; Redis refuses writes.",
        labels=where.own_labels("disk", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="Hardly any space is left for those who are not root.",
            diagnosis=_WHERE + "\nSpace that `du` does not find is held by removed files: `lsof`.",
            mitigation=(
                "Room within a minute:\n\n" + _SPACE + "```\n: > /path/of/a/huge.log       # empty"
                " it, do not remove it while it is open\ntune2fs -m 0 /dev/DEVICE      # ext4: give"
                " out root's reserve\n```\nThen what fills it, see HostDiskWillFill. Never remove"
                " files under `pg_wal` or `base`, nor Redis' `appendonlydir`. PostgreSQL that has"
                " stopped starts again by itself once there is room: `abops stack restart"
                " postgres`."
            ),
        ),
        cases=around(
            limit,
            lambda v: {f"node:disk:ratio{_LABELS}": steady(1 - v)},
            lambda v: Fired(_DISK, f"/ of a has {percent(v)} of its space left"),
            below=True,
            timing=Timing(hold),
        ),
    )


def _inodes(where: Place) -> Alert:
    limit, hold = 0.9, 15 * MINUTE
    return Alert(
        name="HostInodes",
        group=GROUP,
        severity="warning",
        expr="node:inodes:ratio > {threshold}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason="Inodes cannot be added to ext4: the last tenth is the time to clear up.",
        summary=(
            "{{ $labels.mountpoint }} of {{ $labels.instance }} uses"
            " {{ $value | humanizePercentage }} of its inodes"
        ),
        impact="At 100 % no file can be made: `No space left on device` with free space.",
        labels=where.own_labels("disk", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="There are nearly as many files as the filesystem was made for.",
            diagnosis=(
                "```\ndf -i MOUNTPOINT\n"
                "du -x --inodes --max-depth=3 MOUNTPOINT 2>/dev/null | sort -rn | head -20\n```\n"
                "Often: a spool or a queue of mails, sessions, caches of builds, layers of images."
            ),
            mitigation=(
                "Remove what is old in the folder that stands out, a few at a time:\n\n```\n"
                "find FOLDER -xdev -type f -mtime +7 -delete\n```\nOr move the folder to a"
                " filesystem of its own (XFS makes inodes as it needs them). `rm *` fails with"
                " `Argument list too long`: use find."
            ),
        ),
        cases=around(
            limit,
            lambda v: {f"node:inodes:ratio{_LABELS}": steady(v)},
            lambda v: Fired(_DISK, f"/ of a uses {percent(v)} of its inodes"),
            timing=Timing(hold),
        ),
    )


def _saturated(where: Place) -> Alert:
    limit, floor, hold = 0.9, 0.3, 15 * MINUTE
    here = {"env": "local", "instance": "a"}
    busy = 'node:disk_busy:ratio{env="local",instance="a"}'
    waiting = busy.replace("disk_busy", "io_waiting")

    def fired(ratio: float) -> Fired:
        return Fired(here, f"A disk of a is busy {percent(ratio)} of the time, and others wait")

    return Alert(
        name="HostIoSaturated",
        group=GROUP,
        severity="warning",
        expr=f"node:disk_busy:ratio > {{threshold}} and node:io_waiting:ratio > {floor}",
        threshold=limit,
        unit="ratio",
        hold=hold,
        reason=(
            "A disk that works in parallel may be busy all the time and yet be fast: only when"
            " some process waits for it 30 % of the time as well."
        ),
        summary=(
            "A disk of {{ $labels.instance }} is busy {{ $value | humanizePercentage }} of the"
            " time, and others wait"
        ),
        impact="Commits and queries of PostgreSQL take longer; everything behind it queues.",
        labels=where.own_labels("disk", "saturation"),
        board=BOARD,
        runbook=Runbook(
            meaning="For a quarter of an hour the disk has had more to do than it can.",
            diagnosis=(
                "```\niostat -xz 2 3          # r/s, w/s, await, aqu-sz by disk\n"
                "iotop -obn 3            # or: pidstat -d 2 3\ncat /proc/pressure/io\n```\n"
                "PostgreSQL reads: PostgresCacheHitLow. It writes: PostgresCheckpoints,"
                " PostgresTempFiles. A backup or a vacuum: it ends. `await` high with few r/s and"
                " w/s: the disk itself, or the cloud's limit of IOPS."
            ),
            mitigation=(
                "Slow down what can wait: `ionice -c 3 -p PID`; for vacuum `ALTER SYSTEM SET"
                " autovacuum_vacuum_cost_delay = '10ms'` and `SELECT pg_reload_conf();`; stop a"
                " backup that runs in hours of work. A limit of the cloud: raise it. Do not set"
                " `fsync = off`."
            ),
        ),
        cases=(
            *around(
                limit,
                lambda v: {busy: steady(v), waiting: steady(0.6)},
                fired,
                timing=Timing(hold),
            ),
            Case("just waiting", {busy: steady(1), waiting: steady(0.33)}, hold, (fired(1),)),
            Case("nobody waits", {busy: steady(1), waiting: steady(0.27)}, 2 * hold),
            Case("waiting unknown", {busy: steady(1)}, 2 * hold),
        ),
    )
