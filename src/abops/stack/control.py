"""Talking to the supervisor: one line of JSON there, one line back, over a socket in `.stack`.

Only the stack's owner can open the socket. A socket's path may have 107 bytes at most, and a
checkout may lie deep: the folder is opened first and the socket named relative to it.
"""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from abops.kernel.errors import OpsError
from abops.stack.keeper import PartStatus

BACKLOG = 16


class StackDownError(OpsError):
    """The stack is not running."""

    hint = "Start it with `abops stack up`."


class RequestRefusedError(OpsError):
    """The supervisor could not do what was asked."""

    hint = "See `abops stack status` and `abops stack logs supervisor`."


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked: status, look, ensure, start, stop, restart, or handover to a successor."""

    do: str
    part: str = ""
    signal: int | None = None


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it."""

    parts: tuple[PartStatus, ...] = ()
    version: str = ""
    """Of the supervisor's code and parts."""
    error: str = ""
    hint: str = ""


@contextmanager
def _short_name(path: Path) -> Iterator[str]:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path) -> socket.socket:
    """Return a socket that takes requests at `path`, for its owner alone."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    with _short_name(path) as name:
        before = os.umask(0o177)
        try:
            listener.bind(name)
        finally:
            os.umask(before)
    listener.listen(BACKLOG)
    listener.settimeout(0)  # for asyncio
    return listener


def ask(path: Path, request: Request, *, timeout_s: float = 30.0) -> Answer:
    """Send one request and return the answer; StackDownError when nobody takes it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            with _short_name(path) as name:
                connection.connect(name)
            connection.sendall(msgspec.json.encode(request) + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        except TimeoutError as error:
            raise RequestRefusedError(f"no answer within {timeout_s:g} s") from error
        except OSError as error:
            raise StackDownError from error
    if not line:
        raise RequestRefusedError("the supervisor ended before it answered")
    answer = msgspec.json.decode(line, type=Answer)
    if answer.error:
        raise RequestRefusedError(answer.error, hint=answer.hint)
    return answer


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read one request; ValueError when it is none."""
    try:
        return msgspec.json.decode(await reader.readline(), type=Request)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
