"""The supervisor's own metrics, for Prometheus: what runs, and how often it had to be restarted."""

import asyncio
import os
from collections.abc import Callable, Iterable

from abops.stack.cpu import cpu_limit_cores
from abops.stack.keeper import GOOD, Keeper
from abops.stack.ports import HOST

MIB = 2**20
_CPU_HELP = (
    "Cores that a part may use: the quota of its control group; without one, the cores of the"
    " machine that it may run on."
)


def text(keepers: Iterable[Keeper]) -> str:
    """Return the metrics of all parts in the text format."""
    parts = list(keepers)
    lines = [
        "# HELP abops_stack_part_up Whether a part runs and was healthy (1), or not (0).",
        "# TYPE abops_stack_part_up gauge",
        *(f'abops_stack_part_up{{service="{k.part.name}"}} {int(k.state in GOOD)}' for k in parts),
        "# HELP abops_stack_restarts_total Starts after an end that nobody asked for.",
        "# TYPE abops_stack_restarts_total counter",
        *(f'abops_stack_restarts_total{{service="{k.part.name}"}} {k.restarts}' for k in parts),
        "# HELP abops_stack_memory_limit_bytes Memory that a part is expected to stay below.",
        "# TYPE abops_stack_memory_limit_bytes gauge",
        *(
            f'abops_stack_memory_limit_bytes{{service="{k.part.name}"}} {k.part.memory_mib * MIB}'
            for k in parts
            if k.part.memory_mib
        ),
        f"# HELP abops_stack_cpu_limit_cores {_CPU_HELP}",
        "# TYPE abops_stack_cpu_limit_cores gauge",
        *(
            f'abops_stack_cpu_limit_cores{{service="{k.part.name}"}} {_cores(k.status().pid):g}'
            for k in parts
            if not k.part.runs_once
        ),
    ]
    return "\n".join(lines) + "\n"


def _cores(pid: int | None) -> float:
    # A part that does not run would be started with our own limits.
    return cpu_limit_cores(pid or os.getpid())


async def serve(port: int, render: Callable[[], str]) -> asyncio.Server:
    """Answer every GET on `port` with the metrics."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                await reader.readuntil(b"\r\n\r\n")
            body = render().encode()
            head = (
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # half a request is nobody's loss
        finally:
            writer.close()

    return await asyncio.start_server(answer, HOST, port)
