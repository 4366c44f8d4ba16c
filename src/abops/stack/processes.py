"""Processes that may outlive the program that started them, told apart for certain.

A process id names whoever holds it now: after a crash it may belong to a stranger. A process
is therefore known by its id, the moment it was started, and the boot that moment counts from;
a signal goes through a handle that was compared with these first, so that it never hits
another one. Children that escaped a record are found by a mark in their environment.
"""

import errno
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

MARK = "ABOPS_STACK"
MARK_PART = "ABOPS_STACK_PART"
_PROC = Path("/proc")


class Identity(msgspec.Struct, frozen=True):
    """One process and no other: id, start in clock ticks since boot, and that boot."""

    pid: int
    started: int
    boot: str


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def identify(pid: int) -> Identity | None:
    """Return who holds `pid`; None when nobody does, or only the remains of a dead process."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold blanks itself.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], int(fields[19])
    return None if state in "ZX" else Identity(pid, started, _boot())


def is_alive(identity: Identity) -> bool:
    """Tell whether this very process runs."""
    return identify(identity.pid) == identity


def open_handle(identity: Identity) -> int | None:
    """Return a handle that stays with the process, or None when it has ended."""
    try:
        handle = os.pidfd_open(identity.pid)
    except OSError:
        return None
    # Compared after opening: from here on the id cannot pass to another process unnoticed.
    if is_alive(identity):
        return handle
    os.close(handle)
    return None


def send(identity: Identity, sig: int) -> bool:
    """Send `sig` to this very process; False when it has ended."""
    handle = open_handle(identity)
    if handle is None:
        return False
    try:
        signal.pidfd_send_signal(handle, sig)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def _handles(identities: Iterable[Identity]) -> Iterator[dict[int, Identity]]:
    opened: dict[int, Identity] = {}
    try:
        for identity in identities:
            handle = open_handle(identity)
            if handle is not None:
                opened[handle] = identity
        yield opened
    finally:
        for handle in opened:
            os.close(handle)


def wait_for_end(identities: Iterable[Identity], timeout_s: float) -> tuple[Identity, ...]:
    """Wait until all have ended; return those that have not when the time is over."""
    deadline = time.monotonic() + timeout_s
    with _handles(identities) as handles:
        poll = select.poll()
        left = dict(handles)
        for handle in left:
            poll.register(handle, select.POLLIN)
        while left:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            for handle, _ in poll.poll(remaining * 1000):
                poll.unregister(handle)
                del left[handle]
        return tuple(left.values())


def marked(stack_id: str, *, below: Path | None = None) -> dict[Identity, str]:
    """Return every running process of this stack with its part's name.

    PostgreSQL's processes write their titles over their environment: they are known by their
    working folder, `below`.
    """
    found: dict[Identity, str] = {}
    own = os.getpid()
    mark = f"{MARK}={stack_id}".encode()
    for folder in _PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == own:
            continue
        part = _part_of(folder, mark, below)
        identity = identify(int(folder.name)) if part else None
        if part and identity:
            found[identity] = part
    return found


def _part_of(folder: Path, mark: bytes, below: Path | None) -> str | None:
    try:
        variables = (folder / "environ").read_bytes().split(b"\0")
        if mark in variables:
            prefix = f"{MARK_PART}=".encode()
            return next((v[len(prefix) :].decode() for v in variables if v.startswith(prefix)), "?")
        if below is not None and (folder / "cwd").readlink().is_relative_to(below):
            return "postgres"
    except OSError as error:
        # Gone meanwhile, or another user's: neither is ours.
        if error.errno not in {errno.ENOENT, errno.ESRCH, errno.EACCES, errno.EPERM}:
            raise
    return None


def end(identities: Iterable[Identity], sig: int, grace_s: float) -> tuple[Identity, ...]:
    """Ask processes to end by `sig`; kill, and return, those that did not within the grace."""
    asked = tuple(identity for identity in identities if send(identity, sig))
    late = wait_for_end(asked, grace_s)
    for identity in late:
        send(identity, signal.SIGKILL)
    wait_for_end(late, 5.0)
    return late
