"""Seeing whether a part is healthy, by asking it as its users do.

Written on bare sockets: a check runs many times a second while the stack starts, on machines
with two cores, and must cost next to nothing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from abops.stack.part import (
    AliveCheck,
    Check,
    CommandCheck,
    HttpCheck,
    PortCheck,
    RedisCheck,
    Tool,
)
from abops.stack.ports import HOST
from abops.stack.programs import resolve

TIMEOUT_S = 2.0


async def is_healthy(check: Check, *, alive_s: float) -> bool:
    """Tell whether the part passes its check; `alive_s` is how long its process has lived."""
    match check:
        case HttpCheck(port, path):
            return await _answers(port, _get(port, path), b"HTTP/1.1 200", b"HTTP/1.0 200")
        case RedisCheck(port):
            return await _answers(port, b"PING\r\n", b"+PONG")
        case PortCheck(port):
            return await _answers(port, b"", b"")
        case CommandCheck(argv):
            return await _succeeds(argv)
        case AliveCheck(seconds):
            return alive_s >= seconds


def _get(port: int, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode()


async def _answers(port: int, request: bytes, *expected: bytes) -> bool:
    writer = None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(request)
            size = max(map(len, expected))
            answer = await reader.readexactly(size) if size else b""
            return answer.startswith(expected)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    finally:
        if writer is not None:
            with suppress(OSError):
                writer.close()


async def _succeeds(argv: Sequence[str | Tool]) -> bool:
    process = await asyncio.create_subprocess_exec(
        *resolve(argv),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await process.wait() == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
