"""Up and down: from nothing to a platform whose every part was seen healthy, and back to nothing.

`up` prepares (ports, secrets, configurations), starts the supervisor and watches. `down` asks
the supervisor, then looks for itself whether a process is left, so that it also works after
the supervisor was killed.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.stack import cluster, processes
from abops.stack.control import Request, RequestRefusedError, StackDownError, ask
from abops.stack.keeper import SETTLED, PartStatus, State
from abops.stack.layout import STATE_VARIABLE, Layout
from abops.stack.parts import declare_parts, version
from abops.stack.prepare import MARK_FILE, make_state_folder, prepare
from abops.stack.processes import MARK, MARK_PART, Identity
from abops.stack.records import read_records, remove_record
from abops.stack.render import write_config

WATCH_EVERY_S = 0.1
UP_TIMEOUT_S = 300.0
SUPERVISOR_STARTS_S = 20.0
HANDOVER_S = 3.0
SUPERVISOR_STOPS_S = 120.0
SUPERVISOR = "supervisor"

Report = Callable[[PartStatus], None]


class SupervisorError(OpsError):
    """The supervisor of the stack did not start."""

    hint = "See `abops stack logs supervisor`."


def bring_up(
    layout: Layout,
    clock: Clock,
    *,
    free_ports: bool = False,
    logs: bool | None = None,
    report: Report,
) -> tuple[PartStatus, ...]:
    """Start what does not run, wait until everything has settled, and return every part's status.

    `report` is called once for each part that this call saw settle.
    """
    make_state_folder(layout)
    with _lock(layout):
        site = prepare(layout, free_ports=free_ports, logs=logs)
        changed = write_config(site)
        kept = _running_version(layout)
        parts = declare_parts(site)
        if kept is not None and kept != version(parts):
            _hand_over(layout)
            _end_undeclared(layout, frozenset(part.name for part in parts))
        if kept is None or not is_running(layout):
            _start_supervisor(layout, clock)
    ask(layout.control_socket, Request("ensure"))
    if kept is not None:
        apply_changes(layout, changed)
    return watch(layout, clock, report=report)


def is_running(layout: Layout) -> bool:
    """Tell whether a supervisor answers."""
    return _running_version(layout) is not None


def _running_version(layout: Layout) -> str | None:
    try:
        return ask(layout.control_socket, Request("status")).version
    except StackDownError:
        return None


def _hand_over(layout: Layout) -> None:
    """Let a supervisor of other code go; its successor takes the running parts over."""
    identity = find_supervisor(layout)
    with suppress(RequestRefusedError):  # one so old that it does not know how
        ask(layout.control_socket, Request("handover"))
    if identity is not None and processes.wait_for_end([identity], HANDOVER_S):
        processes.end([identity], signal.SIGKILL, HANDOVER_S)  # the parts live on


def _end_undeclared(layout: Layout, declared: frozenset[str]) -> None:
    """Stop what is no longer part of the stack: nobody would keep it, or stop it."""
    for name, record in read_records(layout).items():
        if name not in declared:
            processes.end([record.identity], record.stop_signal, record.stop_grace_s)
            remove_record(layout, name)


def _start_supervisor(layout: Layout, clock: Clock) -> None:
    log = layout.log(SUPERVISOR)
    with log.open("ab") as stream:
        child = subprocess.Popen(
            [sys.executable, "-m", "abops.stack.supervisor"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=layout.root,
            env={
                **os.environ,
                STATE_VARIABLE: str(layout.state),
                MARK: layout.stack_id,
                MARK_PART: SUPERVISOR,
            },
            start_new_session=True,
        )
    deadline = clock.monotonic() + SUPERVISOR_STARTS_S
    while not is_running(layout):
        if child.poll() is not None or clock.monotonic() > deadline:
            raise SupervisorError
        _pause()


def apply_changes(layout: Layout, changed: frozenset[str]) -> None:
    """Restart the parts whose configuration is another one now."""
    readers = {
        "prometheus": "prometheus/",
        "alertmanager": "alertmanager/",
        "blackbox": "prometheus/blackbox.yml",
        "jaeger": "jaeger.yml",
        "channels": "channels.json",
        "alerts": "endpoints.json",
        "rsyslog": "rsyslog.conf",
    }
    for part, prefix in readers.items():
        if any(name.startswith(prefix) for name in changed):
            ask(layout.control_socket, Request("restart", part), timeout_s=UP_TIMEOUT_S)


def watch(layout: Layout, clock: Clock, *, report: Report) -> tuple[PartStatus, ...]:
    """Wait until nothing moves any more; report every part as it settles."""
    seen: set[str] = set()
    first = True
    deadline = clock.monotonic() + UP_TIMEOUT_S
    while True:
        statuses = ask(layout.control_socket, Request("status")).parts
        settled = {s.part for s in statuses if s.state in SETTLED}
        for status in statuses:
            if status.part in settled - seen and not (first and status.state == State.READY):
                report(status)
        seen |= settled
        first = False
        if all_settled(statuses) or clock.monotonic() > deadline:
            return statuses
        _pause()


def all_settled(statuses: Sequence[PartStatus]) -> bool:
    """Tell whether no part moves: each has settled, or waits for one that will not come."""
    by_name = {status.part: status for status in statuses}

    def rests(status: PartStatus) -> bool:
        if status.state != State.WAITING:
            return status.state in SETTLED
        blocker = by_name.get(status.waits_for)
        return blocker is not None and blocker.state not in _GOOD and rests(blocker)

    return all(rests(status) for status in statuses)


_GOOD = frozenset({State.READY, State.DONE})


def take_down(layout: Layout, *, told: Callable[[str], None]) -> int:
    """Stop every process of the stack; return how many had to be killed."""
    if not layout.state.is_dir():
        return 0
    with _lock(layout):
        _stop_supervisor(layout, told)
        killed = sweep(layout)
        layout.control_socket.unlink(missing_ok=True)
        home = (layout.state / cluster.FOLDER).resolve()
        if home.is_dir():
            for left in home.glob(".s.PGSQL.*"):
                left.unlink(missing_ok=True)
        return killed


def _stop_supervisor(layout: Layout, told: Callable[[str], None]) -> None:
    identity = find_supervisor(layout)
    if identity is None:
        return
    processes.send(identity, signal.SIGTERM)
    if processes.wait_for_end([identity], SUPERVISOR_STOPS_S):
        told("the supervisor does not answer; its parts are stopped without it")
        processes.end([identity], signal.SIGKILL, 5.0)


def find_supervisor(layout: Layout) -> Identity | None:
    """Return the supervisor's process."""
    try:
        pid = int((layout.state / "supervisor.lock").read_text())
    except (OSError, ValueError):
        return None
    return next((i for i in processes.marked(layout.stack_id) if i.pid == pid), None)


def sweep(layout: Layout) -> int:
    """End whatever runs in this stack's name; return how many had to be killed."""
    records = read_records(layout)
    killed = 0
    for first in (True, False):
        for record in records.values():
            if record.stops_first == first:
                processes.send(record.identity, record.stop_signal)
        for record in records.values():
            if record.stops_first == first:
                late = processes.end([record.identity], record.stop_signal, record.stop_grace_s)
                killed += len(late)
                remove_record(layout, record.part)
    home = (layout.state / cluster.FOLDER).resolve()
    left = processes.marked(layout.stack_id, below=home)
    killed += len(processes.end(left, signal.SIGTERM, 5.0))
    return killed


def purge(layout: Layout) -> None:
    """Remove the stack's folder with all its data, and PostgreSQL's when it lies elsewhere."""
    if not (layout.state / MARK_FILE).is_file():
        return
    link = layout.state / cluster.FOLDER
    if link.is_symlink() and link.resolve() == cluster.away_home(layout):
        shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(layout.state, ignore_errors=True)


@contextmanager
def _lock(layout: Layout) -> Iterator[None]:
    path = layout.state / "up.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _pause() -> None:
    time.sleep(WATCH_EVERY_S)
